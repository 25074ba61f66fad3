import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { EnqueueInterruptedError, type EnqueueResult } from '../producer/enqueue-result.js'
import type { RunUpdateProducer } from '../producer/producer.js'
import type { RunUpdate } from '../run/parse.js'
import { refuseOtherCharsets } from './charset.js'
import { toHttpError } from './error-handler.js'
import { HttpError, RETRY_AFTER_SECONDS, rejectionError } from './http-error.js'
import { takeInLines } from './ndjson-intake.js'
import { toItem, UpdateCounts, type UpdateItem } from './update-results.js'
import { JUDGED_BY_PARSER, UPDATE_SCHEMA } from './update-schema.js'

/** A list of so many answers is what one answer can hold; NDJSON has no limit. */
const MAX_LIST = 100_000

/** As many as are judged before their errors become text: each holds a stack. */
const SLICE = 5_000

const NDJSON = ['application/x-ndjson', 'application/ndjson']

/** `POST /v1/updates`: one update, a list, or lines. */
export const updatesRoute: FastifyPluginAsyncZod<{ producer: RunUpdateProducer }> = async (server, { producer }) => {
  server.addContentTypeParser(NDJSON, (request, payload, done) => {
    refuseOtherCharsets(request)
    switch (request.headers['content-encoding'] ?? 'identity') {
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
