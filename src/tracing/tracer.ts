import { ProxyTracerProvider, type Tracer, trace } from '@opentelemetry/api'

export const TRACER_NAME = 'sift-run-updater'

/**
 * The tracer of the SDK that the program has registered; undefined where there is none: then tracing costs this
 * question, and nothing is written for it anywhere.
 */
export function registeredTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider
    ? provider.getDelegateTracer(TRACER_NAME)
    : provider.getTracer(TRACER_NAME)
}
