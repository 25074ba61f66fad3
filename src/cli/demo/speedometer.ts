const SPAN_MS = 2_000

/** How fast a counter grows, over the last two seconds. */
export class Speedometer {
  readonly #readings: { readonly atMs: number; readonly value: number }[] = []

  /** @returns so many a second. @param atMs on any clock that never goes back */
  read(value: number, atMs: number): number {
    this.#readings.push({ atMs, value })
    while (this.#readings.length > 2 && (this.#readings[1]?.atMs ?? atMs) <= atMs - SPAN_MS) this.#readings.shift()
    const oldest = this.#readings[0]
    return oldest && oldest.atMs < atMs ? ((value - oldest.value) * 1_000) / (atMs - oldest.atMs) : 0
  }
}
