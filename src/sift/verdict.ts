/**
 * What an answer of Sift, or the lack of one, means for the update that was sent. Five kinds:
 *
 * - applied: done.
 * - transient: this try failed, a later one may succeed.
 * - throttled: every run is to wait.
 * - held: something is wrong for every run (the key, the base URL). Nothing is lost, nothing counts against this run.
 * - permanent: sending the same again will be refused again.
 */
export type Verdict = AppliedVerdict | RefusedVerdict
export type RefusedVerdict = TransientVerdict | ThrottledVerdict | HeldVerdict | PermanentVerdict

export type TransientReason =
  | 'aborted'
  | 'bad_gateway'
  | 'cancelled'
  | 'connection_cut'
  | 'connection_failed'
  | 'data_loss'
  | 'deadline_exceeded'
  | 'internal'
  | 'invalid_response'
  | 'request_timeout'
  | 'timeout'
  | 'unavailable'
  | 'unknown'
  | `http_${number}`

export type ThrottledReason = 'rate_limited'

export type HeldReason = 'unauthenticated' | 'unexpected_response'

export const PERMANENT_REASONS = [
  'already_exists',
  'failed_precondition',
  'invalid_argument',
  'out_of_range',
  'payload_too_large',
  'permission_denied',
  'run_not_found',
  'unimplemented',
] as const

export type PermanentReason = (typeof PERMANENT_REASONS)[number]

/** A kind with one of its reasons, before anything is known of the single answer. */
export type Meaning =
  | { readonly kind: 'transient'; readonly reason: TransientReason }
  | { readonly kind: 'throttled'; readonly reason: ThrottledReason }
  | { readonly kind: 'held'; readonly reason: HeldReason }
  | { readonly kind: 'permanent'; readonly reason: PermanentReason }

/** What a person is told of a refusal. */
export interface Explanation {
  /** The API's own words, cut to a sane length; where there are none, a sentence of ours. */
  readonly message: string
  /** Absent where no answer came. */
  readonly httpStatus?: number
  /** The google.rpc code of the answer's body, not the HTTP status. */
  readonly code?: number
}

export interface AppliedVerdict {
  readonly kind: 'applied'
}

export interface TransientVerdict extends Explanation {
  readonly kind: 'transient'
  readonly reason: TransientReason
  /** The wait as the server told it, in milliseconds, without any cap. Absent: it told none. */
  readonly waitMs?: number
  /** Sift may have applied the update, or may still be at work on it. */
  readonly ambiguous: boolean
}

export interface ThrottledVerdict extends Explanation {
  readonly kind: 'throttled'
  readonly reason: ThrottledReason
  /** The wait as the server told it, in milliseconds, without any cap. Absent: it told none. */
  readonly waitMs?: number
}

export interface HeldVerdict extends Explanation {
  readonly kind: 'held'
  readonly reason: HeldReason
}

export interface PermanentVerdict extends Explanation {
  readonly kind: 'permanent'
  readonly reason: PermanentReason
}

const MAX_MESSAGE_LENGTH = 1000

/** Cuts a message to at most 1,000 UTF-16 units, never in the middle of a character. */
export function cutMessage(message: string): string {
  if (message.length <= MAX_MESSAGE_LENGTH) return message
  return `${message.slice(0, MAX_MESSAGE_LENGTH - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}
