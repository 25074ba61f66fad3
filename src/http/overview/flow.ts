/**
 * How much flows through a lane, told from counters that its processes keep anyhow, whichever process they are in:
 *
 *  - the sequence numbers every update that was merged, and every generation that was opened;
 *  - the throttle counts every PATCH that was applied, and the updates that ended with it;
 *  - a generation is opened, stays in the index while it is pending, and most often ends with one PATCH. So as many were
 *    opened as PATCHes were applied and pending runs came to be.
 *
 * A dead letter, or a PATCH that was sent in halves, puts the number of updates out by one or two; the counters of
 * /metrics are exact.
 */
export interface Counters {
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly sequence: number
  readonly applied: number
  readonly appliedUpdates: number
  readonly pendingRuns: number
}

/** What has flowed since the look before. */
export interface Flow {
  readonly atMs: number
  readonly seconds: number
  readonly updates: number
  readonly patches: number
  /** Updates that ended with those PATCHes, as they were counted together with them. */
  readonly merged: number
}

/** Less than this tells no rate: one update in a millisecond would be a thousand a second. */
const LEAST_SECONDS = 0.5

export class FlowMeter {
  #before: Counters | undefined
  /** PATCHes whose generation is about to leave the index: made good by the next look. */
  #owed = 0

  /** Null: there is nothing to compare it with, or not yet. */
  note(now: Counters): Flow | null {
    const before = this.#before
    const seconds = (now.atMs - (before?.atMs ?? now.atMs)) / 1_000
    // It is told with the next look.
    if (before && seconds >= 0 && seconds < LEAST_SECONDS) return null
    this.#before = now
    const patches = now.applied - (before?.applied ?? 0)
    const merged = now.appliedUpdates - (before?.appliedUpdates ?? 0)
    const numbered = now.sequence - (before?.sequence ?? 0)
    // Somebody has emptied Redis, or set its clock back.
    if (!before || seconds <= 0 || patches < 0 || merged < 0 || numbered < 0) {
      this.#owed = 0
      return null
    }
    const opened = patches + now.pendingRuns - before.pendingRuns
    const updates = numbered - opened - this.#owed
    this.#owed = Math.max(0, -updates)
    return { atMs: now.atMs, seconds, updates: Math.max(0, updates), patches, merged }
  }
}
