import type { FastifyPluginAsync } from 'fastify'
import type { Registry } from 'prom-client'
import { z } from 'zod'
import type { Answers } from './description.js'

const ANSWERS: Answers = {
  200: {
    description: 'The metrics, also while Redis is away.',
    content: { 'text/plain': z.string().describe('The text format of Prometheus.') },
  },
}

/** `GET /metrics`, in the text format of Prometheus. */
export const metricsRoute: FastifyPluginAsync<{ registry: Registry }> = async (server, { registry }) => {
  const options = {
    config: { described: { answers: ANSWERS } },
    schema: { summary: 'Metrics for Prometheus', tags: ['health'] },
  }
  server.get('/metrics', options, async (_request, reply) => {
    const text = await registry.metrics()
    return reply.header('content-type', registry.contentType).header('cache-control', 'no-store').send(text)
  })
}
