import type { FastifyPluginAsync } from 'fastify'
import type { Registry } from 'prom-client'

/** `GET /metrics`, in the text format of Prometheus. */
export const metricsRoute: FastifyPluginAsync<{ registry: Registry }> = async (server, { registry }) => {
  server.get('/metrics', async (_request, reply) => {
    const text = await registry.metrics()
    return reply.header('content-type', registry.contentType).header('cache-control', 'no-store').send(text)
  })
}
