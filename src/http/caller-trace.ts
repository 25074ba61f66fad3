import { context, propagation, trace } from '@opentelemetry/api'
import type { FastifyInstance } from 'fastify'

/**
 * Lets what a request brings about go on with its caller's trace (the `traceparent` header). Where the program's SDK
 * traces HTTP itself, its span is there already and stays the parent. Without an SDK nothing happens.
 *
 * Right before the handler, and no sooner: the events of a body that is being read do not keep the context. It is for
 * the instance that is handed in and what is registered on it.
 */
export function continueCallersTrace(server: FastifyInstance): void {
  server.addHook('preHandler', (request, _reply, done) => {
    const active = context.active()
    if (trace.getSpan(active)) return done()
    context.with(propagation.extract(active, request.headers), done)
  })
}
