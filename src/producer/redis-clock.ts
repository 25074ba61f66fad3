/** How far a reply's time is reckoned on: if Redis's clock is set back meanwhile, all of that would count in full. */
const FRESH_MS = 5_000

/**
 * What Redis's clock is known to show, at the least. A producer tells each merge the latest time of Redis at which it may
 * still run; that must be a time that Redis has reached by the moment when the call is reported as failed.
 */
export class RedisClock {
  #sample: { readonly nowUs: number; readonly receivedAt: number } | undefined

  /** Otherwise it is to be asked before it is relied on. */
  get isFresh(): boolean {
    return this.#sample !== undefined && performance.now() - this.#sample.receivedAt <= FRESH_MS
  }

  /** A reply has told Redis's time. It was taken before the reply came, so Redis's clock can only be further. */
  note(nowUs: number): void {
    this.#sample = { nowUs, receivedAt: performance.now() }
  }

  forget(): void {
    this.#sample = undefined
  }

  /** Redis's time at a moment of the monotonic clock, at the least; undefined: no reply has told it yet. */
  atUs(moment: number): number | undefined {
    return this.#sample && this.#sample.nowUs + (moment - this.#sample.receivedAt) * 1000
  }
}
