/**
 * A label whose values come from outside. Each value is a time series for good, so only the first few are kept apart;
 * later ones count together, as `other`.
 */
export class BoundedLabel {
  readonly #most: number
  readonly #known = new Set<string>()

  constructor(most: number) {
    this.#most = most
  }

  /** What a value is counted as. An empty one is `none`, since Prometheus takes an empty label for a missing one. */
  of(value: string): string {
    if (value === '') return 'none'
    if (this.#known.has(value)) return value
    if (this.#known.size >= this.#most) return 'other'
    this.#known.add(value)
    return value
  }
}
