/**
 * An origin is the span in which an update was taken in, as one word of text: it waits in Redis beside the pending
 * update, and a PATCH that carries the update's writes is linked to it. The form is that of a traceparent header.
 */
import { isSpanContextValid, type Link, type Span, type SpanContext } from '@opentelemetry/api'

/** Undefined: the span is not recorded, so there is nothing to be linked to. */
export function originOf(span: Span): string | undefined {
  if (!span.isRecording()) return undefined
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

/** Undefined where a person has edited it into something else. */
export function parseOrigin(origin: string): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(origin) ?? []
  const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
  return isSpanContextValid(spanContext) ? spanContext : undefined
}

export function linksTo(origins: readonly string[]): Link[] {
  return origins.flatMap((origin) => {
    const context = parseOrigin(origin)
    return context ? [{ context }] : []
  })
}
