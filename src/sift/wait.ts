import { type AnswerHeaders, firstHeader, isJsonObject, type RpcStatus } from './answer.js'
import { waitInProse } from './prose-wait.js'

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo'
const SECONDS = /^\d+$/
const DURATION = /^\d+(?:\.\d{1,9})?s$/
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/

/**
 * The wait that an answer asks for, in milliseconds, as it was told: the `Retry-After` header, else a
 * google.rpc.RetryInfo, else the prose of the message. One that cannot be read counts as not told.
 *
 * @param now The moment of the answer, in milliseconds since the epoch: `Retry-After` may be a date.
 */
export function statedWait(headers: AnswerHeaders, status: RpcStatus, now: number): number | undefined {
  return (
    waitOfHeader(firstHeader(headers, 'retry-after')?.trim(), now) ??
    waitOfRetryInfo(status.details) ??
    waitInProse(status.message ?? '')
  )
}

function waitOfHeader(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  if (SECONDS.test(value)) return wholeMs(Number(value) * 1000)
  // Date.parse alone takes "3 seconds" for a day in 2001.
  return HTTP_DATE.test(value) ? wholeMs(Math.max(0, Date.parse(value) - now)) : undefined
}

function waitOfRetryInfo(details: readonly unknown[]): number | undefined {
  for (const detail of details) {
    if (!isJsonObject(detail) || detail['@type'] !== RETRY_INFO) continue
    const delay = detail.retryDelay
    if (typeof delay === 'string' && DURATION.test(delay)) return wholeMs(Number(delay.slice(0, -1)) * 1000)
  }
  return undefined
}

function wholeMs(ms: number): number | undefined {
  const whole = Math.round(ms)
  return Number.isSafeInteger(whole) ? whole : undefined
}
