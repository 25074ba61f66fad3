import { type Answer, isHtml, type RpcStatus, readRun, readStatus } from './answer.js'
import { AMBIGUOUS_CODES, AMBIGUOUS_STATUSES, MEANING_OF_CODE, MEANING_OF_STATUS } from './meanings.js'
import { cutMessage, type Meaning, type TransientVerdict, type Verdict } from './verdict.js'
import { statedWait } from './wait.js'

const INVALID_RESPONSE: Meaning = { kind: 'transient', reason: 'invalid_response' }
const UNEXPECTED_RESPONSE: Meaning = { kind: 'held', reason: 'unexpected_response' }

/**
 * Tells what an answer means. The google.rpc code of the body decides, since one HTTP status stands for several of
 * them (409 for ALREADY_EXISTS and for ABORTED); without a code, the status.
 *
 * @param runId The run that was asked for: a 200 about anything else is no answer.
 * @param now The moment of the answer, in milliseconds since the epoch.
 */
export function classifyAnswer(answer: Answer, runId: string, now: number): Verdict {
  const succeeded = answer.status >= 200 && answer.status < 300
  if (succeeded && readRun(answer.body, runId) !== undefined) return { kind: 'applied' }

  const status = readStatus(answer.body)
  const meaning = succeeded ? INVALID_RESPONSE : meaningOf(answer, status)
  const explanation = {
    message: cutMessage(status.message ?? ourWords(answer)),
    httpStatus: answer.status,
    ...(status.code !== undefined && { code: status.code }),
  }
  if (meaning.kind === 'held' || meaning.kind === 'permanent') return { ...meaning, ...explanation }

  const waitMs = statedWait(answer.headers, status, now)
  const wait = waitMs === undefined ? {} : { waitMs }
  if (meaning.kind === 'throttled') return { ...meaning, ...explanation, ...wait }
  return { ...meaning, ...explanation, ...wait, ambiguous: isAmbiguous(answer.status, status.code) }
}

/** An answer whose body was larger than we read. Its status is not trusted: Sift sends nothing of that size. */
export function classifyOversizedAnswer(status: number, maxBytes: number): TransientVerdict {
  return {
    kind: 'transient',
    reason: 'invalid_response',
    message: `HTTP ${status} with a body of more than ${maxBytes} bytes`,
    httpStatus: status,
    ambiguous: isAmbiguous(status, undefined),
  }
}

function meaningOf(answer: Answer, { code }: RpcStatus): Meaning {
  // The API never redirects: whatever the body of one says, it is not about the run.
  if (answer.status < 400) return UNEXPECTED_RESPONSE
  const byCode = code === undefined ? undefined : MEANING_OF_CODE.get(code)
  if (byCode !== undefined) return byCode
  const byStatus = MEANING_OF_STATUS.get(answer.status)
  // A page of HTML comes from something in between, which cannot condemn an update.
  if (byStatus !== undefined && !(byStatus.kind === 'permanent' && isHtml(answer))) return byStatus
  return answer.status >= 500 ? { kind: 'transient', reason: `http_${answer.status}` } : UNEXPECTED_RESPONSE
}

function isAmbiguous(status: number, code: number | undefined): boolean {
  return AMBIGUOUS_STATUSES.has(status) || (code !== undefined && AMBIGUOUS_CODES.has(code))
}

function ourWords(answer: Answer): string {
  const { status } = answer
  if (status < 300) return `HTTP ${status}, but the answer does not hold the run that was asked for`
  if (status < 400) return `HTTP ${status}, a redirect, which the API never sends: check the base URL`
  if (isHtml(answer)) return `HTTP ${status} with a page of HTML, which is not from the API`
  if (status === 404 || status === 405) return `HTTP ${status} without an error of the API: check the base URL`
  return `HTTP ${status} without an error message`
}
