import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { originOf } from './origin.js'
import { registeredTracer } from './tracer.js'

interface TracedUpdate {
  readonly runId: string
  readonly source?: string | undefined
}

/**
 * Takes updates in, each within a span of its own, child of the caller's: so that each can be linked to, also where
 * they came in one call. Without an SDK it only takes them in.
 */
export async function traceUpdates<Update extends TracedUpdate, Outcome extends { readonly status: string }>(
  updates: readonly Update[],
  takeIn: (updates: readonly (Update & { readonly origin?: string })[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const tracer = registeredTracer()
  if (!tracer) return await takeIn(updates)
  const spans = updates.map((update) =>
    tracer.startSpan('enqueue run update', { kind: SpanKind.PRODUCER, attributes: attributesOf(update) }),
  )
  try {
    const outcomes = await takeIn(
      updates.map((update, index) => {
        const origin = spans[index] && originOf(spans[index])
        return origin === undefined ? update : { ...update, origin }
      }),
    )
    for (const [index, { status }] of outcomes.entries()) {
      spans[index]?.setAttribute('sift_run_updater.result', status)
    }
    return outcomes
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    for (const span of spans) span.setStatus({ code: SpanStatusCode.ERROR, message })
    throw error
  } finally {
    for (const span of spans) span.end()
  }
}

function attributesOf({ runId, source }: TracedUpdate): Attributes {
  return {
    'sift_run_updater.run_id': runId,
    ...(source !== undefined && { 'sift_run_updater.source': source }),
  }
}
