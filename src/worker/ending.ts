import type { Failure } from '../pending/pending-updates.js'
import type { RefusedVerdict } from '../sift/verdict.js'

/** A request that failed. */
export interface Tried {
  readonly verdict: RefusedVerdict
  /** Redis's time when what it sent was claimed: what has arrived since is untried. */
  readonly triedUs: number
}

/**
 * How a flush job ends before all was sent. Thrown from wherever it shows, and turned into BullMQ's terms in one place
 * (./flush-processor.ts).
 */
export type Ending =
  /** The generation is not the pending one's: there is nothing to do. */
  | { readonly kind: 'superseded' }
  /** Another owner's lease is live, or the run rests after an ambiguous end. */
  | { readonly kind: 'leased'; readonly delayMs: number }
  /** The lane is closed: the job goes back to the front of the queue. Maybe this run's own answer has closed it. */
  | {
      readonly kind: 'held'
      readonly failure: Failure
      /** How long the run rests, after an ambiguous end. */
      readonly restMs: number
      /** This run gets no permit sooner, if the lane said so. */
      readonly remainingMs?: number | null
      /** It was the probe, and failed: the job goes behind all others, so that each of them has its turn to probe. */
      readonly wasProbe?: boolean
      /** This run's own answer has closed the lane, or kept it closed. */
      readonly tried?: Tried
    }
  /** The worker closes: the job goes back, for another worker. */
  | { readonly kind: 'stopping' }
  /** This try failed: the job comes again after a backoff. */
  | { readonly kind: 'failed'; readonly tried: Tried; readonly counts: boolean }
  /** A held answer of before was counted as a failure of this run: it backs off. */
  | { readonly kind: 'back_off'; readonly tries: number }

export const MET_CLOSED_LANE = { kind: 'held', failure: 'none', restMs: 0 } as const satisfies Ending

export class FlushEnded extends Error {
  readonly ending: Ending

  constructor(ending: Ending) {
    super(`the flush ended: ${ending.kind}`)
    this.ending = ending
  }
}
