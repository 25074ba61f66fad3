import { Pool } from 'undici'
import { readStatus } from '../sift/answer.js'
import type { ApiKey } from '../sift/api-key.js'
import { parseBaseUrl } from '../sift/base-url.js'
import { MAX_ANSWER_BYTES } from '../sift/client.js'
import { sendRequest } from '../sift/request.js'

export type SiftProbe =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unreachable'; readonly message: string }

/** Asks Sift for one run, any run: the smallest request that needs a valid API key. Changes nothing. */
export async function probeSift(baseUrl: string, apiKey: ApiKey, timeoutMs: number): Promise<SiftProbe> {
  const { origin, pathPrefix } = parseBaseUrl(baseUrl)
  const pool = new Pool(origin, { connections: 1, connect: { timeout: timeoutMs, rejectUnauthorized: true } })
  try {
    const outcome = await sendRequest(
      pool,
      {
        method: 'GET',
        path: `${pathPrefix}/api/v2/runs?pageSize=1`,
        headers: {
          authorization: apiKey.authorization(),
          accept: 'application/json',
          'user-agent': 'sift-run-updater',
        },
      },
      { timeoutMs, maxBodyBytes: MAX_ANSWER_BYTES },
    )
    switch (outcome.kind) {
      case 'failed':
        return { kind: 'unreachable', message: describeFailure(outcome.error) }
      case 'oversized':
        return { kind: 'refused', message: `the answer (${outcome.status}) is far too large for one run` }
      case 'answered':
        return judge(outcome.answer.status, outcome.answer.body)
    }
  } finally {
    await pool.destroy()
  }
}

function judge(status: number, body: string): SiftProbe {
  if (status === 200 && isRunList(body)) return { kind: 'accepted' }
  if (status === 401) return { kind: 'refused', message: 'Sift does not know this API key (401)' }
  const said = readStatus(body).message
  const words = said === undefined ? 'the answer is not one of the Sift API: check SIFT_REST_URL' : said
  return { kind: 'refused', message: `${words} (${status})` }
}

function isRunList(body: string): boolean {
  try {
    const answer: unknown = JSON.parse(body)
    // Proto3 JSON leaves an empty list out.
    return typeof answer === 'object' && answer !== null && !Array.isArray(answer)
  } catch {
    return false
  }
}

function describeFailure(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describeFailure).join('; ')
  return error instanceof Error ? error.message : String(error)
}
