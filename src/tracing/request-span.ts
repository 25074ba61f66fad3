import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { linksTo } from './origin.js'
import { registeredTracer } from './tracer.js'

export interface TracedRequest {
  readonly method: 'GET' | 'PATCH'
  readonly runId: string
  /** Of the updates that were merged into it. */
  readonly origins: readonly string[]
  readonly updates?: number
  readonly updateMask?: string
}

interface Answer {
  readonly httpStatus?: number
  readonly verdict: { readonly kind: string; readonly reason?: string; readonly message?: string }
}

/** Makes a request to Sift within a span that is linked to each of the updates it carries. */
export async function traceRequest<Result extends Answer>(
  request: TracedRequest,
  send: () => Promise<Result>,
): Promise<Result> {
  const tracer = registeredTracer()
  if (!tracer) return await send()
  const options = { kind: SpanKind.CLIENT, links: linksTo(request.origins), attributes: attributesOf(request) }
  return await tracer.startActiveSpan(`${request.method} run`, options, async (span) => {
    try {
      const answer = await send()
      const { httpStatus, verdict } = answer
      if (httpStatus !== undefined) span.setAttribute('http.response.status_code', httpStatus)
      span.setAttribute('sift_run_updater.outcome', verdict.kind)
      if (verdict.kind !== 'applied') {
        span.setAttribute('error.type', verdict.reason ?? verdict.kind)
        span.setStatus({ code: SpanStatusCode.ERROR, message: verdict.message ?? '' })
      }
      return answer
    } finally {
      span.end()
    }
  })
}

function attributesOf({ method, runId, updates, updateMask }: TracedRequest): Attributes {
  return {
    'http.request.method': method,
    'sift_run_updater.run_id': runId,
    ...(updates !== undefined && { 'sift_run_updater.updates': updates }),
    ...(updateMask !== undefined && { 'sift_run_updater.update_mask': updateMask }),
  }
}
