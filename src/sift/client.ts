import { Pool } from 'undici'
import type { PatchBody } from '../run/patch.js'
import { type JsonObject, readRun } from './answer.js'
import type { ApiKey } from './api-key.js'
import { parseBaseUrl } from './base-url.js'
import { classifyAnswer, classifyOversizedAnswer } from './classify.js'
import { classifyFailure } from './failure.js'
import { type HttpRequest, type Outcome, sendRequest } from './request.js'
import type { AppliedVerdict, RefusedVerdict, Verdict } from './verdict.js'

/** Far more than any run takes; an answer beyond it is not read to its end. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024

export interface SiftClientOptions {
  /** Such as `https://api.siftstack.com`; may have a path of its own. */
  readonly baseUrl: string
  readonly apiKey: ApiKey
  /** For one request, from the call to the last byte of the answer, connecting included. */
  readonly requestTimeoutMs: number
  /** The most connections at a time; requests beyond wait for one. Default: as many as there are requests. */
  readonly connections?: number
}

export interface CallOptions {
  /** Gives the request up. Before it was written that is `connection_failed`, afterwards `connection_cut`. */
  readonly signal?: AbortSignal
  /** Instead of `requestTimeoutMs`. Zero or less: nothing is sent. */
  readonly timeoutMs?: number
}

/** One request and what became of it. */
export interface Exchange<V extends Verdict = Verdict> {
  readonly verdict: V
  /** Absent where no answer came. */
  readonly httpStatus?: number
  readonly durationMs: number
  /** The answer as it came; absent where it was cut off or too large. */
  readonly responseBody?: string
}

/** What a read of a run gave: `applied` means that Sift answered with the run. */
export type RunReading = (Exchange<AppliedVerdict> & { readonly run: JsonObject }) | Exchange<RefusedVerdict>

/**
 * The Sift API. A call resolves with a verdict whatever the network and the server do; it rejects only for a bug of
 * ours, such as a call after `close`. A request is sent once at most: trying again is the caller's affair.
 */
export interface SiftClient {
  /** Updates the fields of a run that the mask names. */
  updateRun(body: PatchBody, options?: CallOptions): Promise<Exchange>
  getRun(runId: string, options?: CallOptions): Promise<RunReading>
  /** Lets the requests in flight finish, then closes all connections. */
  close(): Promise<void>
}

/** @throws ConfigurationError for a base URL that cannot be one. */
export function createSiftClient(options: SiftClientOptions): SiftClient {
  const { origin, pathPrefix } = parseBaseUrl(options.baseUrl)
  const pool = new Pool(origin, {
    ...(options.connections !== undefined && { connections: options.connections }),
    pipelining: 1,
    // The deadline of a request covers all of its phases, so undici's own limits are off.
    headersTimeout: 0,
    bodyTimeout: 0,
    // Said, so that NODE_TLS_REJECT_UNAUTHORIZED can't switch it off. The limit frees a connection that hangs half open.
    connect: { timeout: options.requestTimeoutMs, rejectUnauthorized: true },
  })
  let closing: Promise<void> | undefined

  async function call(request: Omit<HttpRequest, 'headers'>, runId: string, { timeoutMs, signal }: CallOptions) {
    const startedAt = performance.now()
    const outcome = await sendRequest(
      pool,
      { ...request, path: `${pathPrefix}${request.path}`, headers: headersOf(request, options.apiKey) },
      {
        timeoutMs: timeoutMs ?? options.requestTimeoutMs,
        maxBodyBytes: MAX_ANSWER_BYTES,
        ...(signal !== undefined && { signal }),
      },
    )
    return toExchange(outcome, runId, performance.now() - startedAt)
  }

  return {
    async updateRun(body, callOptions = {}) {
      return call({ method: 'PATCH', path: '/api/v2/runs', body: JSON.stringify(body) }, body.run.runId, callOptions)
    },
    async getRun(runId, callOptions = {}) {
      const path = `/api/v2/runs/${pathSegment(runId)}`
      return toReading(await call({ method: 'GET', path }, runId, callOptions), runId)
    },
    close() {
      closing ??= pool.close()
      return closing
    },
  }
}

/** A run may be called `..`, which servers and proxies would take for the folder above. */
function pathSegment(runId: string): string {
  return /^\.{1,2}$/.test(runId) ? '%2E'.repeat(runId.length) : encodeURIComponent(runId)
}

function headersOf(request: Omit<HttpRequest, 'headers'>, apiKey: ApiKey): Record<string, string> {
  return {
    authorization: apiKey.authorization(),
    accept: 'application/json',
    // Some firewalls turn away requests without one.
    'user-agent': 'sift-run-updater',
    ...(request.body !== undefined && { 'content-type': 'application/json' }),
  }
}

function toExchange(outcome: Outcome, runId: string, durationMs: number): Exchange {
  switch (outcome.kind) {
    case 'failed':
      return { verdict: classifyFailure(outcome.error, outcome.sent), durationMs }
    case 'oversized':
      return {
        verdict: classifyOversizedAnswer(outcome.status, MAX_ANSWER_BYTES),
        httpStatus: outcome.status,
        durationMs,
      }
    case 'answered':
      return {
        verdict: classifyAnswer(outcome.answer, runId, Date.now()),
        httpStatus: outcome.answer.status,
        durationMs,
        responseBody: outcome.answer.body,
      }
  }
}

function toReading(exchange: Exchange, runId: string): RunReading {
  const { verdict, ...rest } = exchange
  if (verdict.kind !== 'applied') return { verdict, ...rest }
  const run = readRun(exchange.responseBody ?? '', runId)
  // The verdict was drawn from the same body by the same function.
  if (run === undefined) throw new Error(`run ${runId} is applied without a run in the answer`)
  return { verdict, ...rest, run }
}
