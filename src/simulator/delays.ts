/** Timers that can be dropped all at once. What waits for a dropped one waits for ever, and is collected. */
export class Delays {
  readonly #timers = new Set<NodeJS.Timeout>()

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        resolve()
      }, ms)
      this.#timers.add(timer)
    })
  }

  drop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
