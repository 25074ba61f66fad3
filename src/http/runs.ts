import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { flushNow, QUEUE_PAUSED } from '../flush-queue/flush-now.js'
import { readRunReport } from '../worker/run-report.js'
import { json, REDIS_AWAY } from './description.js'
import type { LaneParts } from './lane-parts.js'
import { FLUSHED, RUN_REPORT } from './run-schema.js'

const params = z.object({ runId: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be a run id') })

/** `/v1/runs/{runId}`: what is known of one run, and sending it now. */
export const runsRoutes: FastifyPluginAsyncZod<LaneParts> = async (server, parts) => {
  server.get(
    '/v1/runs/:runId',
    {
      config: { described: { answers: { 200: json('What is known of it.', RUN_REPORT), 503: REDIS_AWAY } } },
      schema: { summary: 'What is pending for a run, what was last sent, its dead letters', tags: ['running'], params },
    },
    async ({ params: { runId } }) => await readRunReport(parts, runId),
  )

  server.post(
    '/v1/runs/:runId/flush',
    {
      config: { described: { answers: { 200: json('What came of it.', FLUSHED), 503: REDIS_AWAY } } },
      schema: {
        summary: 'Send a run now',
        description:
          'Without waiting for its window or backoff; a hold is not passed by. `result` is hastened, reopened, on_its_way, nothing_pending or unreadable. Where somebody has paused the queue in BullMQ, `queuePaused` is true and `message` says so: the run is sent once it is resumed.',
        tags: ['running'],
        params,
      },
    },
    async ({ params: { runId } }) => {
      const result = await flushNow(parts, runId)
      const isPaused = await parts.flushQueue.queue.isPaused()
      return { runId, result, ...(isPaused && { queuePaused: true, message: QUEUE_PAUSED }) }
    },
  )
}
