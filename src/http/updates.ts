import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { EnqueueInterruptedError, type EnqueueResult } from '../producer/enqueue-result.js'
import type { RunUpdateProducer } from '../producer/producer.js'
import type { RunUpdate } from '../run/parse.js'
import { refuseOtherCharsets } from './charset.js'
import { contentEncodingOf } from './content-encoding.js'
import { type Answer, type Answers, json, NDJSON_TYPE, RETRY_AFTER } from './description.js'
import { toHttpError } from './error-handler.js'
import { HttpError, RETRY_AFTER_SECONDS, RPC_STATUS, rejectionError } from './http-error.js'
import { takeInLines } from './ndjson-intake.js'
import { RESULT_LINE, toItem, UPDATE_ITEM, UpdateCounts, type UpdateItem } from './update-results.js'
import { JUDGED_BY_PARSER, UPDATE_SCHEMA } from './update-schema.js'

/** A list of so many answers is what one answer can hold; NDJSON has no limit. */
const MAX_LIST = 100_000

/** As many as are judged before their errors become text: each holds a stack. */
const SLICE = 5_000

const NDJSON = [NDJSON_TYPE, 'application/ndjson']

const results = z.array(UPDATE_ITEM).describe('One for each update, in order.')
const REFUSED = RPC_STATUS.extend({ results: results.optional() })

const ANSWERS: Answers = {
  202: answered('Redis has at least one of them. Of lines it may only mean that more followed.', z.object({ results })),
  400: answered('None of them was taken, or the body is malformed.', REFUSED),
  413: json('The body, its list, or its only update is too large.', REFUSED),
  503: answered(
    'The lane takes no new runs now, or Redis is away. `results` are those that are known.',
    REFUSED,
    RETRY_AFTER,
  ),
}

/** `POST /v1/updates`: one update, a list, or lines. */
export const updatesRoute: FastifyPluginAsyncZod<{ producer: RunUpdateProducer }> = async (server, { producer }) => {
  server.addContentTypeParser(NDJSON, (request, payload, done) => {
    refuseOtherCharsets(request)
    switch (contentEncodingOf(request.headers)) {
      case 'identity':
        return done(null, payload)
      case 'gzip':
        // Errors are thrown to whoever reads it.
        return done(
          null,
          pipeline(payload, createGunzip(), () => {}),
        )
      default:
        return done(new HttpError(415, 'content-encoding must be gzip, or absent'))
    }
  })

  server.post(
    '/v1/updates',
    {
      config: { described: { answers: ANSWERS, line: z.union([UPDATE_SCHEMA]).describe('Each line.') } },
      schema: {
        summary: 'Take updates in',
        description:
          'One update, a list of them, or one on each line (`application/x-ndjson`, also gzip). 202 means that Redis has at least one of them; `results` tells each in order. Lines are answered by lines, as they come, and a last line with the `summary`.',
        tags: ['feeding'],
        body: z.union([UPDATE_SCHEMA, z.array(UPDATE_SCHEMA)]),
      },
      validatorCompiler: JUDGED_BY_PARSER,
    },
    async (request, reply) => {
      const body: unknown = request.body
      if (body instanceof Readable) return await answerLines(producer, body, reply)
      return await answerList(producer, Array.isArray(body) ? body : [body], reply)
    },
  )
}

/** The same, of a list and of lines. */
function answered(description: string, ofList: z.ZodType, headers?: Answer['headers']): Answer {
  const { content, ...answer } = json(description, ofList, headers)
  return { ...answer, content: { ...content, [NDJSON_TYPE]: RESULT_LINE.describe('Each line.') } }
}

async function answerLines(producer: RunUpdateProducer, body: Readable, reply: FastifyReply): Promise<FastifyReply> {
  const { status, lines } = await takeInLines(producer, body, reply.request.raw.socket)
  if (status === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS))
  return reply.code(status).type('application/x-ndjson').send(lines)
}

async function answerList(
  producer: RunUpdateProducer,
  updates: readonly unknown[],
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (updates.length > MAX_LIST) {
    throw new HttpError(413, `a list may hold ${MAX_LIST} updates; send lines as application/x-ndjson instead`)
  }
  const counts = new UpdateCounts()
  const results: UpdateItem[] = []
  let rejected: EnqueueResult['error'] = null
  const note = (slice: readonly EnqueueResult[]) => {
    for (const result of slice) {
      counts.note(result)
      results.push(toItem(result))
      if (rejected === null || result.error?.code === 'overloaded') rejected = result.error ?? rejected
    }
  }
  for (let start = 0; start < updates.length; start += SLICE) {
    try {
      // The parser judges them: their type is what they should be.
      note(await producer.enqueueMany(updates.slice(start, start + SLICE) as RunUpdate[]))
    } catch (error) {
      if (!(error instanceof EnqueueInterruptedError)) throw error
      note(error.results)
      const away = toHttpError(error)
      throw new HttpError(503, away?.message ?? error.message, { retryAfter: RETRY_AFTER_SECONDS, more: { results } })
    }
  }
  if (counts.status !== 202 && rejected) throw rejectionError(rejected, { results })
  return reply.code(202).send({ results })
}
