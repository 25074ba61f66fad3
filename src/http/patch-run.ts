/**
 * The drop-in: the request that a service sends to Sift today. It is merged with what else comes for its run, and
 * answered by the PATCH that carried its writes:
 *
 *  - applied                     Sift's own answer, status and body
 *  - a field refused             the answer that condemned that field, also where others were applied
 *  - superseded while pending    the answer to the PATCH that carried the newer write
 *  - stale                       200: what holds is newer, and a retry would change nothing
 *  - a client key in conflict    400 with code 9, as Sift answers it; also where its other fields are still pending, and
 *                                with `respond-async`: it is known from the merge, and no wait would change it
 *  - nothing known in time       202: Redis has it, and it will be sent
 *
 * The header `sift-run-updater-outcome` tells which of them it was, and `Preference-Applied` what of `Prefer` was honoured.
 * Where the announcement was missed (a connection was lost), the status is right all the same, and the body says what is
 * remembered.
 */
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { orderOf } from '../producer/enqueue-result.js'
import type { RunUpdateProducer } from '../producer/producer.js'
import type { FieldPath } from '../run/fields.js'
import { parseRunUpdate } from '../run/parse.js'
import { AwaitedWrites, type Fate } from './awaited-writes.js'
import { HttpError, rejectionError } from './http-error.js'
import type { OutcomeChannel } from './outcome-channel.js'
import { OutcomeWait } from './outcome-wait.js'
import { OUTCOME_HEADER, PATCH_ANSWERS, PREFER } from './patch-answers.js'
import { readPreference } from './preference.js'
import type { RecordedOutcomeParts } from './recorded-outcome.js'
import { JUDGED_BY_PARSER, UPDATE_SCHEMA } from './update-schema.js'

export interface PatchRunParts extends RecordedOutcomeParts {
  readonly producer: RunUpdateProducer
  readonly outcomes: OutcomeChannel
}

/** `PATCH /api/v2/runs` */
export const patchRunRoute: FastifyPluginAsync<PatchRunParts> = async (server, parts) => {
  server.patch(
    '/api/v2/runs',
    {
      config: { described: { answers: PATCH_ANSWERS, headers: PREFER } },
      schema: {
        summary: 'Update a run, as Sift does',
        description:
          'The request of the Sift API: change the base URL of a service, and its updates are merged. Waits for the PATCH that carries its writes (`Prefer: wait=N` seconds, 10 by default), and answers with the answer of Sift. 202: nothing was known in time, or `Prefer: respond-async`; it will be sent. 400 at once, also then, for a client key that came second. The header `sift-run-updater-outcome` is applied, refused, stale, conflict or pending.',
        tags: ['feeding'],
        body: UPDATE_SCHEMA,
      },
      validatorCompiler: JUDGED_BY_PARSER,
    },
    async (request, reply) => {
      const parsed = parseRunUpdate(request.body)
      if (!parsed.ok) throw rejectionError(parsed.error)
      const { runId, writes } = parsed.update
      const { waitMs, applied } = readPreference(request.headers.prefer)
      const wait = waitMs > 0 ? new OutcomeWait(parts, runId) : undefined
      reply.raw.once('close', () => wait?.end())
      try {
        const [result] = await parts.producer.enqueueParsed([{ ...parsed.update, isAwaited: wait !== undefined }])
        if (!result) throw new TypeError('one update gave no result')
        if (result.error) throw rejectionError(result.error)
        if (applied !== '') reply.header('preference-applied', applied)
        const order = orderOf(result)
        const settled = new Set<FieldPath>([...result.staleFields, ...result.conflictFields])
        const paths = (Object.keys(writes) as FieldPath[]).filter((path) => !settled.has(path))
        if (result.status === 'stale') return answer(reply, 200, 'stale', runId)
        if (order && wait && paths.length > 0) {
          const fate = await wait.for(new AwaitedWrites(paths, order), waitMs)
          if (fate && (fate.outcome === 'refused' || result.conflictFields.length === 0)) {
            return answerFate(reply, fate, runId)
          }
        }
        if (result.conflictFields.length > 0) {
          reply.header(OUTCOME_HEADER, 'conflict')
          throw conflict(runId)
        }
        return answer(reply, 202, 'pending', runId)
      } finally {
        wait?.end()
      }
    },
  )
}

function answer(reply: FastifyReply, status: number, outcome: string, runId: string): FastifyReply {
  if (status === 202) reply.header('location', `/v1/runs/${runId}`)
  return reply.code(status).header(OUTCOME_HEADER, outcome).send({ run: { runId } })
}

function answerFate(reply: FastifyReply, fate: Fate, runId: string): FastifyReply {
  if (fate.answer) {
    const { status, body } = fate.answer
    // Sift's errors may be plain text, or nothing: a type that promises JSON would break its reader.
    const type = /^\s*[{[]/.test(body) ? 'application/json' : 'text/plain; charset=utf-8'
    return reply.code(status).header(OUTCOME_HEADER, fate.outcome).type(type).send(body)
  }
  if (fate.outcome === 'applied') return answer(reply, 200, 'applied', runId)
  return reply.code(400).header(OUTCOME_HEADER, 'refused').send({ code: 9, message: fate.message, details: [] })
}

function conflict(runId: string): HttpError {
  const message = `the client key of run ${runId} can be set once, and another one came first; this one is a dead letter`
  return new HttpError(400, message, { more: { code: 9 } })
}
