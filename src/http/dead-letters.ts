import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type DeadLetter, toListing } from '../dead-letters/dead-letter.js'
import { type DeadLetterFilter, matches, parseAge } from '../dead-letters/dead-letter-filter.js'
import type { DeadLetters, Retried } from '../dead-letters/dead-letters.js'
import { UnreadableLetterError } from '../dead-letters/mended-letter.js'
import { json, REDIS_AWAY, refusal } from './description.js'
import { HttpError } from './http-error.js'
import { LETTER, LETTER_LISTING } from './letter-schema.js'

const MOST_LISTED = 1_000
const LISTED = 100

/** As many as one request retries or discards, and as long as it goes on: redrives take turns with live updates. */
const MOST_CHANGED = 1_000
const CHANGING_MS = 20_000

const filterKeys = {
  run: z.string().min(1).optional().describe('those of this run'),
  reason: z.string().min(1).optional().describe('those refused for this reason'),
  source: z.string().min(1).optional().describe('those that this source wrote'),
  olderThan: z
    .string()
    .refine((age) => parseAge(age) !== undefined, 'must be an age such as 45s, 30m, 2h or 7d')
    .optional()
    .describe('those older than this, such as 30m, 2h or 7d'),
}

const listQuery = z.strictObject({
  ...filterKeys,
  limit: z.coerce.number().int().min(1).max(MOST_LISTED).default(LISTED),
})

const selection = z
  .strictObject({
    ids: z.array(z.string().min(1).max(256)).min(1).max(MOST_CHANGED).optional(),
    all: z.literal(true).optional(),
    ...filterKeys,
  })
  .refine(
    ({ ids, all, ...filter }) =>
      [ids !== undefined, all !== undefined, Object.values(filter).some((value) => value !== undefined)].filter(Boolean)
        .length === 1,
    'say which dead letters are meant, in one way: ids, a filter, or all',
  )

const params = z.object({ id: z.string() })

type FilterQuery = Partial<Record<'run' | 'reason' | 'source' | 'olderThan', string | undefined>>

interface Changed {
  readonly id: string
  readonly result: 'redriven' | 'stale' | 'conflict' | 'unreadable' | 'discarded' | 'busy' | 'missing'
  readonly message?: string
}

const CHANGED = z
  .object({
    id: z.string(),
    result: z.enum(['redriven', 'stale', 'conflict', 'unreadable', 'discarded', 'busy', 'missing']),
    message: z.string().exactOptional(),
  })
  .meta({ id: 'ChangedLetter' }) satisfies z.ZodType<Changed>

const LISTED_LETTERS = z.object({
  total: z.int().describe('How many there are, listed or not.'),
  deadLetters: z.array(LETTER_LISTING),
})

const CHANGED_LETTERS = z.object({ results: z.array(CHANGED), left: z.int() })

const MISSING = refusal('There is no such dead letter.')

/** `/v1/dead-letters`: list, look at, retry, discard. */
export const deadLettersRoutes: FastifyPluginAsyncZod<{ deadLetters: DeadLetters }> = async (
  server,
  { deadLetters },
) => {
  const tags = ['running']

  server.get(
    '/v1/dead-letters',
    {
      config: { described: { answers: { 200: json('Dead letters.', LISTED_LETTERS), 503: REDIS_AWAY } } },
      schema: { summary: 'Dead letters, newest first', tags, querystring: listQuery },
    },
    async ({ query: { limit, ...filter } }) => {
      const letters = await select(deadLetters, filter)
      return { total: letters.length, deadLetters: letters.slice(0, limit).map(toListing) }
    },
  )

  const ofOne = { 404: MISSING, 503: REDIS_AWAY }
  const letterOptions = {
    config: { described: { answers: { 200: json('The dead letter.', LETTER), ...ofOne } } },
    schema: { summary: 'One dead letter', tags, params },
  }
  server.get('/v1/dead-letters/:id', letterOptions, async (request) => {
    const { id } = request.params
    const job = await deadLetters.find(id)
    if (!job) throw missing(id)
    const { stamps: _stamps, ...letter } = job.data
    return letter
  })

  for (const [verb, summary, change] of [
    ['retry', 'Send dead letters again, each with its original order', retry],
    ['discard', 'Throw dead letters away', discard],
  ] as const) {
    server.post(
      `/v1/dead-letters/${verb}`,
      {
        config: { described: { answers: { 200: json('What became of each.', CHANGED_LETTERS), 503: REDIS_AWAY } } },
        schema: {
          summary,
          description: `At most ${MOST_CHANGED} in one request, and for ${CHANGING_MS / 1_000} s; \`left\` tells how many more were meant.`,
          tags,
          body: selection,
        },
      },
      async ({ body: { ids, all: _all, ...filter } }) => {
        const meant = new Set(ids ?? (await select(deadLetters, filter)).map(({ id }) => id))
        const deadline = performance.now() + CHANGING_MS
        const results: Changed[] = []
        for (const id of meant) {
          if (results.length === MOST_CHANGED || performance.now() > deadline) break
          results.push(await change(deadLetters, id))
        }
        return { results, left: meant.size - results.length }
      },
    )

    server.post(
      `/v1/dead-letters/:id/${verb}`,
      {
        config: { described: { answers: { 200: json('What became of it.', CHANGED), ...ofOne } } },
        schema: { summary: `${summary}: one`, tags, params },
      },
      async (request) => {
        const changed = await change(deadLetters, request.params.id)
        if (changed.result === 'missing') throw missing(changed.id)
        return changed
      },
    )
  }
}

async function select(deadLetters: DeadLetters, query: FilterQuery): Promise<DeadLetter[]> {
  const { run, reason, source, olderThan } = query
  const olderThanMs = olderThan === undefined ? undefined : parseAge(olderThan)
  const filter: DeadLetterFilter = {
    ...(run !== undefined && { runId: run }),
    ...(reason !== undefined && { reason }),
    ...(source !== undefined && { source }),
    ...(olderThanMs !== undefined && { olderThanMs }),
  }
  const nowMs = Date.now()
  const letters: DeadLetter[] = []
  for await (const { data } of deadLetters.list()) if (matches(data, filter, nowMs)) letters.push(data)
  return letters.sort((a, b) => Date.parse(b.deadLetteredAt) - Date.parse(a.deadLetteredAt))
}

async function retry(deadLetters: DeadLetters, id: string): Promise<Changed> {
  try {
    return { id, ...describeRetried(await deadLetters.retry(id)) }
  } catch (error) {
    if (!(error instanceof UnreadableLetterError)) throw error
    return { id, result: 'unreadable', message: error.message }
  }
}

function describeRetried(retried: Retried): Omit<Changed, 'id'> {
  switch (retried.kind) {
    case 'missing':
      return { result: 'missing' }
    case 'conflict':
      return {
        result: 'conflict',
        message: `its client key is in conflict again: the run has ${JSON.stringify(retried.heldClientKey)}`,
      }
    case 'redriven':
      return retried.acceptedFields.length > 0
        ? { result: 'redriven' }
        : { result: 'stale', message: 'a newer value was there already, so the old one was dropped' }
  }
}

async function discard(deadLetters: DeadLetters, id: string): Promise<Changed> {
  const { kind } = await deadLetters.discard(id)
  return kind === 'busy' ? { id, result: kind, message: 'it is being retried at this moment' } : { id, result: kind }
}

function missing(id: string): HttpError {
  return new HttpError(404, `there is no dead letter ${id}`)
}
