/** Counts what happened within the last `durationMs`: half open, so that an event ages out after exactly that long. */
export class SlidingWindow {
  readonly durationMs: number
  /** In order of time; those before `#first` have aged out. */
  #times: number[] = []
  #first = 0

  constructor(durationMs: number) {
    this.durationMs = durationMs
  }

  /** Times in milliseconds, never going back. */
  add(now: number): void {
    this.#times.push(now)
  }

  count(now: number): number {
    while (this.#first < this.#times.length && (this.#times[this.#first] ?? 0) <= now - this.durationMs)
      this.#first += 1
    const isMostlyAged = this.#first > 1000 && this.#first * 2 > this.#times.length
    if (isMostlyAged) {
      this.#times = this.#times.slice(this.#first)
      this.#first = 0
    }
    return this.#times.length - this.#first
  }

  /** How long until the oldest event ages out, in milliseconds. */
  nextAgeOutMs(now: number): number {
    const oldest = this.#times[this.#first]
    return oldest === undefined ? 0 : oldest + this.durationMs - now
  }
}
