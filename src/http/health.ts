import type { FastifyPluginAsync } from 'fastify'
import { z } from 'zod'
import { SCRIPTS as PENDING_SCRIPTS } from '../pending/scripts.js'
import { SCRIPTS as THROTTLE_SCRIPTS } from '../throttle/scripts.js'
import { json } from './description.js'
import type { LaneParts } from './lane-parts.js'

export interface HealthParts extends Pick<LaneParts, 'redis' | 'throttle'> {
  /** It is about to close: what comes is taken in as ever, and better sent elsewhere. */
  isClosing(): boolean
  /** Its own worker takes jobs; true where it has none. */
  isWorkerReady(): boolean
}

const READY_TIMEOUT_MS = 1_000

const SCRIPTS = [...Object.values(PENDING_SCRIPTS), ...Object.values(THROTTLE_SCRIPTS)]

const LIVE = { 200: json('It runs.', z.object({ status: z.literal('ok') })) }

const READY = {
  200: json('It is ready.', z.object({ status: z.literal('ready') })),
  503: json('It is not.', z.object({ status: z.literal('not ready'), why: z.string() })),
}

/** `/livez`: the process runs. `/readyz`: what is sent to it now is taken in, and can go out. */
export const healthRoutes: FastifyPluginAsync<HealthParts> = async (server, parts) => {
  const schema = { tags: ['health'] }
  const opened = { isOpen: true }

  server.get(
    '/livez',
    { config: { ...opened, described: { answers: LIVE } }, schema: { ...schema, summary: 'The process runs' } },
    async () => ({ status: 'ok' }),
  )

  server.get(
    '/readyz',
    {
      config: { ...opened, described: { answers: READY } },
      schema: {
        ...schema,
        summary: 'Ready for requests',
        description:
          'Redis is reachable, the scripts are loaded, the lane is not held for its API key. 503 with the reason otherwise.',
      },
    },
    async (_request, reply) => {
      const why = whyNotServing(parts) ?? (await whyNotReady(parts))
      reply.header('cache-control', 'no-store')
      return why === undefined ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', why })
    },
  )
}

function whyNotServing(parts: HealthParts): string | undefined {
  if (parts.isClosing()) return 'it is closing'
  return parts.isWorkerReady() ? undefined : 'its worker does not take jobs yet'
}

async function whyNotReady(parts: HealthParts): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('Redis does not answer in time'), READY_TIMEOUT_MS)
  })
  try {
    return await Promise.race([look(parts), timeout])
  } catch {
    return 'Redis is away'
  } finally {
    clearTimeout(timer)
  }
}

async function look({ redis, throttle }: HealthParts): Promise<string | undefined> {
  await loadScripts(redis)
  const { reason } = await throttle.read()
  return reason === 'unauthenticated' ? 'the lane is held: Sift refuses the API key' : undefined
}

/** Redis forgets its scripts when it restarts: loaded here, the first updates after that do not wait for it. */
async function loadScripts(redis: HealthParts['redis']): Promise<void> {
  const loaded = (await redis.script('EXISTS', ...SCRIPTS.map(({ sha1 }) => sha1))) as number[]
  await Promise.all(
    SCRIPTS.filter((_script, index) => loaded[index] !== 1).map(({ source }) => redis.script('LOAD', source)),
  )
}
