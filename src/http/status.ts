import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { readStatus } from '../worker/status.js'
import type { LaneParts } from './lane-parts.js'

/** `/v1/status`, and closing and opening the lane by hand. */
export const statusRoutes: FastifyPluginAsyncZod<LaneParts> = async (server, parts) => {
  const tags = ['running']

  server.get(
    '/v1/status',
    { schema: { summary: 'Pending runs, jobs, dead letters by reason, the state of the lane', tags } },
    async () => await readStatus(parts),
  )

  server.post(
    '/v1/lane/hold',
    {
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
