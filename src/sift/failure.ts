import { AssertionError } from 'node:assert'
import { errors } from 'undici'
import { cutMessage, type TransientVerdict } from './verdict.js'

/** The deadline of a request was over before its answer was complete. */
export class DeadlineError extends Error {
  readonly code = 'request_deadline'
  constructor(timeoutMs: number) {
    super(`not complete within ${timeoutMs} ms`)
  }
}

/** The caller gave a request up. */
export class CallerAbortError extends Error {
  readonly code = 'request_aborted'
  constructor() {
    super('aborted by its caller')
  }
}

/** undici's words for calling it wrongly, or after it was closed. */
const MISUSE_CODES: ReadonlySet<unknown> = new Set([
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_INVALID_RETURN_VALUE',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
])

const LANGUAGE_ERRORS = [TypeError, RangeError, ReferenceError, SyntaxError, URIError, EvalError, AssertionError]

/**
 * Tells what a request without an answer means. Whatever ended one before it was written is `connection_failed` (DNS,
 * refused, TLS, a deadline or an abort while it waited for a connection): Sift knows nothing of it. After that the
 * end is ambiguous: `timeout` at the deadline, else `connection_cut`, an abort by the caller included.
 *
 * @param error What ended the request.
 * @param sent Whether a first byte of it may have gone out.
 * @throws The error itself, where it is a bug of ours and not trouble of the network.
 */
export function classifyFailure(error: unknown, sent: boolean): TransientVerdict {
  if (!isNetworkError(error)) throw error
  if (!sent) return failure('connection_failed', `nothing was sent to Sift: ${describe(error)}`, false)
  return error instanceof DeadlineError
    ? failure('timeout', `the request to Sift was ${error.message}`, true)
    : failure('connection_cut', `the request to Sift ended without an answer: ${describe(error)}`, true)
}

function failure(reason: TransientVerdict['reason'], message: string, ambiguous: boolean): TransientVerdict {
  return { kind: 'transient', reason, message: cutMessage(message), ambiguous }
}

/** Errors of sockets, DNS, TLS and undici all carry a code; TLS alone has dozens, so there is no list of them. */
function isNetworkError(error: unknown): error is Error {
  // The one that may come without: undici does not find the name of every error of its parser.
  if (error instanceof errors.HTTPParserError) return true
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false
  return !MISUSE_CODES.has(error.code) && !LANGUAGE_ERRORS.some((kind) => error instanceof kind)
}

function describe(error: Error): string {
  // Several addresses were tried (IPv6 and IPv4, say): Node leaves the message of the whole empty.
  if (error instanceof AggregateError) return error.errors.map(String).join('; ')
  return error.message
}
