import { propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import type { JobsOptions, Telemetry } from 'bullmq'
import { BullMQOtel } from 'bullmq-otel'
import { parseOrigin } from './origin.js'
import { registeredTracer, TRACER_NAME } from './tracer.js'

/**
 * BullMQ's `telemetry` option; nothing where no SDK was registered before, since BullMQ would write empty metadata into
 * every job.
 */
export function queueTelemetry(): { telemetry?: Telemetry } {
  return registeredTracer() ? { telemetry: new BullMQOtel({ tracerName: TRACER_NAME }) } : {}
}

/**
 * The trace that a job goes on with: its update's, not that of whoever adds it. A job is often added by the end of the
 * one before, and a run that is always busy would become one trace without end.
 */
export function jobTelemetry(origin: string | undefined): Pick<JobsOptions, 'telemetry'> {
  if (!registeredTracer()) return {}
  const spanContext = origin === undefined ? undefined : parseOrigin(origin)
  if (!spanContext) return { telemetry: { omitContext: true } }
  const carrier: Record<string, string> = {}
  propagation.inject(trace.setSpanContext(ROOT_CONTEXT, spanContext), carrier)
  return { telemetry: { metadata: JSON.stringify(carrier) } }
}
