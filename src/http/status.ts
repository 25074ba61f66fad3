import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type LaneStatus, readStatus } from '../worker/status.js'
import { json, REDIS_AWAY } from './description.js'
import type { LaneParts } from './lane-parts.js'

const STATUS = z.object({
  pendingRuns: z.int(),
  oldestPendingAgeMs: z.int().describe('Since the oldest pending update was opened; 0: nothing is pending.'),
  drainEstimateMs: z.int().describe("How long sending all would take at the lane's rate, with one PATCH a run."),
  jobs: z.object({ waiting: z.int(), delayed: z.int(), active: z.int(), failed: z.int(), completed: z.int() }),
  deadLetters: z.object({ total: z.int(), byReason: z.record(z.string(), z.int()) }),
  throttle: z.object({
    state: z.enum(['open', 'held']),
    reason: z.string().nullable(),
    since: z.iso.datetime().nullable(),
    until: z.iso.datetime().nullable().describe('Null where only an operator will open the lane.'),
  }),
}) satisfies z.ZodType<LaneStatus>

const HELD = z.object({ state: z.literal('held'), reason: z.literal('operator'), why: z.string() })

const OPENED = z.object({ state: z.literal('open'), wasClosed: z.boolean() })

/** `/v1/status`, and closing and opening the lane by hand. */
export const statusRoutes: FastifyPluginAsyncZod<LaneParts> = async (server, parts) => {
  const tags = ['running']

  server.get(
    '/v1/status',
    {
      config: { described: { answers: { 200: json('The state of the lane.', STATUS), 503: REDIS_AWAY } } },
      schema: { summary: 'Pending runs, jobs, dead letters by reason, the state of the lane', tags },
    },
    async () => await readStatus(parts),
  )

  server.post(
    '/v1/lane/hold',
    {
      config: { described: { answers: { 200: json('It is closed.', HELD), 503: REDIS_AWAY } } },
      schema: {
        summary: 'Close the lane, until it is opened by hand',
        tags,
        body: z.strictObject({ why: z.string().trim().min(1).max(1_000).describe('told to everybody who looks') }),
      },
    },
    async ({ body: { why } }) => {
      await parts.throttle.hold(why)
      return { state: 'held', reason: 'operator', why }
    },
  )

  server.post(
    '/v1/lane/open',
    {
      config: { described: { answers: { 200: json('It is open.', OPENED), 503: REDIS_AWAY } } },
      schema: {
        summary: 'Open the lane',
        tags,
        body: z
          .strictObject({
            accept: z
              .string()
              .regex(/^[a-z_]{1,64}$/, 'must be a reason such as run_not_found')
              .optional()
              .describe('dead letters of this reason are no storm, until a run is applied'),
          })
          .nullish(),
      },
    },
    async ({ body }) => ({ state: 'open', ...(await parts.throttle.open(body?.accept)) }),
  )
}
