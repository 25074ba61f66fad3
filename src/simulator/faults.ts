import type { ErrorKind } from './error-kinds.js'
import type { Status } from './status.js'

/**
 * What goes wrong, on demand. The faults are asked in this order, and the first that hits decides the answer:
 *
 * | fault | applied? |
 * | --- | --- |
 * | `down`, `html`, `revoked`, `rateLimit`, `deny` | never |
 * | `cutBeforeRate` | never |
 * | `errors` | never, but for 499, 502 and 504: half of these are applied first, as in real life |
 * | `refuse` | never |
 * | `lostAnswerRate`, `cutAnswerRate`, `slow` | yes, if the API takes the update |
 *
 * `latencyMs` and `latencyJitterMs` delay the answer (or the cut) of every request that the first row does not turn
 * away. `applyLatencyMs` delays the applying itself, which then happens even if the client has gone meanwhile. A GET
 * meets the same faults, but for `refuse`, `slow` and `applyLatencyMs`.
 */
export interface Faults {
  /** Applied at once, answered so much later. */
  readonly latencyMs: number
  /** Up to so much is added to `latencyMs`. */
  readonly latencyJitterMs: number
  /** Applied so much later. `latencyMs` counts from then. */
  readonly applyLatencyMs: number
  /** The share of requests that is answered with each error; at most 1 in all. */
  readonly errors: Readonly<Partial<Record<ErrorKind, number>>>
  /** Share: applied, then the connection is cut without an answer. */
  readonly lostAnswerRate: number
  /** Share: the connection is cut before anything is applied. */
  readonly cutBeforeRate: number
  /** Share: applied, then the connection is cut in the middle of the answer's body. */
  readonly cutAnswerRate: number
  /** Above it 429, with the wait in the message only. */
  readonly rateLimit: RateLimit | undefined
  /** A page of a proxy instead of the API. */
  readonly html: HtmlFault | undefined
  /** `unavailable`: 503 to every request. `unreachable`: every connection is cut as soon as it asks for something. */
  readonly down: 'unavailable' | 'unreachable' | undefined
  /** The API key is: 401 with an empty body, whatever the key. */
  readonly revoked: boolean
  /** Runs that may be neither read nor changed: 403. */
  readonly deny: ReadonlySet<string>
  /** Makes any update guilty that it returns a status for. */
  readonly refuse: Refuse | undefined
  /** Every so many-th PATCH is answered so much later. */
  readonly slow: SlowFault | undefined
}

/** At most `max` requests in any `durationMs`; refused ones don't count. */
export interface RateLimit {
  readonly max: number
  readonly durationMs: number
}

export interface HtmlFault {
  /** HTTP status: 502 of a proxy, 200 of a login page, 403 of a firewall. */
  readonly status: number
  readonly runs: 'all' | ReadonlySet<string>
}

export interface SlowFault {
  readonly every: number
  readonly delayMs: number
}

/** `run`: the object as it was sent. */
export type Refuse = (
  runId: string,
  mask: readonly string[],
  run: Readonly<Record<string, unknown>>,
) => Status | undefined

/** What the log says of a request that a fault has hit. */
export type FaultName =
  | 'down'
  | 'html'
  | 'revoked'
  | 'rateLimit'
  | 'deny'
  | 'cutBefore'
  | 'error'
  | 'refuse'
  | 'lostAnswer'
  | 'cutAnswer'
  | 'slow'

export const NO_FAULTS: Faults = Object.freeze({
  latencyMs: 0,
  latencyJitterMs: 0,
  applyLatencyMs: 0,
  errors: {},
  lostAnswerRate: 0,
  cutBeforeRate: 0,
  cutAnswerRate: 0,
  rateLimit: undefined,
  html: undefined,
  down: undefined,
  revoked: false,
  deny: new Set<string>(),
  refuse: undefined,
  slow: undefined,
})

/** `faults` with the changes; a key that is named replaces the old one whole. Throws `RangeError`. */
export function changeFaults(faults: Faults, changes: Partial<Faults>): Faults {
  const changed = Object.freeze({ ...faults, ...changes })
  checkShare('lostAnswerRate', changed.lostAnswerRate)
  checkShare('cutBeforeRate', changed.cutBeforeRate)
  checkShare('cutAnswerRate', changed.cutAnswerRate)
  for (const [kind, share] of Object.entries(changed.errors)) checkShare(`errors.${kind}`, share)
  checkShare(
    'the sum of errors',
    Object.values(changed.errors).reduce((sum, share) => sum + share, 0),
  )
  checkAtLeast(0, 'latencyMs', changed.latencyMs)
  checkAtLeast(0, 'latencyJitterMs', changed.latencyJitterMs)
  checkAtLeast(0, 'applyLatencyMs', changed.applyLatencyMs)
  if (changed.rateLimit !== undefined) {
    checkAtLeast(0, 'rateLimit.max', changed.rateLimit.max)
    checkAtLeast(1, 'rateLimit.durationMs', changed.rateLimit.durationMs)
  }
  if (changed.slow !== undefined) {
    checkAtLeast(1, 'slow.every', changed.slow.every)
    checkAtLeast(0, 'slow.delayMs', changed.slow.delayMs)
  }
  return changed
}

function checkShare(name: string, value: number): void {
  // Shares that make 1 on paper may sum up to a little more in doubles.
  const isShare = value >= 0 && value <= 1 + Number.EPSILON * 8
  if (!isShare) throw new RangeError(`${name} must be between 0 and 1, not ${value}`)
}

function checkAtLeast(least: number, name: string, value: number): void {
  const isLargeEnough = value >= least && value < Number.POSITIVE_INFINITY
  if (!isLargeEnough) throw new RangeError(`${name} must be a number from ${least} up, not ${value}`)
}
