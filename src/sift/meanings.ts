import type { Meaning } from './verdict.js'

/** What each google.rpc code means for an update. */
export const MEANING_OF_CODE = new Map<number, Meaning>([
  [1, { kind: 'transient', reason: 'cancelled' }],
  [2, { kind: 'transient', reason: 'unknown' }],
  [3, { kind: 'permanent', reason: 'invalid_argument' }],
  [4, { kind: 'transient', reason: 'deadline_exceeded' }],
  [5, { kind: 'permanent', reason: 'run_not_found' }],
  [6, { kind: 'permanent', reason: 'already_exists' }],
  [7, { kind: 'permanent', reason: 'permission_denied' }],
  [8, { kind: 'throttled', reason: 'rate_limited' }],
  [9, { kind: 'permanent', reason: 'failed_precondition' }],
  [10, { kind: 'transient', reason: 'aborted' }],
  [11, { kind: 'permanent', reason: 'out_of_range' }],
  [12, { kind: 'permanent', reason: 'unimplemented' }],
  [13, { kind: 'transient', reason: 'internal' }],
  [14, { kind: 'transient', reason: 'unavailable' }],
  [15, { kind: 'transient', reason: 'data_loss' }],
  [16, { kind: 'held', reason: 'unauthenticated' }],
])

/** What each HTTP status means where the body carries no google.rpc code. */
export const MEANING_OF_STATUS = new Map<number, Meaning>([
  [400, { kind: 'permanent', reason: 'invalid_argument' }],
  [401, { kind: 'held', reason: 'unauthenticated' }],
  [408, { kind: 'transient', reason: 'request_timeout' }],
  [409, { kind: 'permanent', reason: 'already_exists' }],
  [413, { kind: 'permanent', reason: 'payload_too_large' }],
  [429, { kind: 'throttled', reason: 'rate_limited' }],
  [499, { kind: 'transient', reason: 'cancelled' }],
  [500, { kind: 'transient', reason: 'internal' }],
  [502, { kind: 'transient', reason: 'bad_gateway' }],
  [503, { kind: 'transient', reason: 'unavailable' }],
  [504, { kind: 'transient', reason: 'deadline_exceeded' }],
])

/** CANCELLED and DEADLINE_EXCEEDED: somebody stopped waiting, which says nothing of the work. */
export const AMBIGUOUS_CODES: ReadonlySet<number> = new Set([1, 4])

/**
 * Statuses by which a proxy says that it got no good answer from the server behind it, which may be at work still.
 * 520 and 524 are Cloudflare's words for 502 and 504.
 */
export const AMBIGUOUS_STATUSES: ReadonlySet<number> = new Set([499, 502, 504, 520, 524])
