/**
 * What nobody may press in the dashboard, since it would lose an update, do something else than it seems to, or slow the
 * lane down without a sign. The rest is harmless: a flush job only says that a run has something pending, and the sweeper
 * adds one that is missing.
 */
import type { BeforeHook } from '@bull-board/api/typings/app'
import type { Queue } from 'bullmq'
import type { Lane } from '../redis/lane.js'

type Action = 'add' | 'clean' | 'empty' | 'obliterate' | 'limit' | 'removeOne' | 'editOne' | 'deferOne'

const QUEUE_ROUTES: Readonly<Record<string, Action>> = {
  '/api/queues/:queueName/add': 'add',
  '/api/queues/:queueName/clean/:queueStatus': 'clean',
  '/api/queues/:queueName/empty': 'empty',
  '/api/queues/:queueName/obliterate': 'obliterate',
  '/api/queues/:queueName/concurrency': 'limit',
  '/api/queues/:queueName/rate-limit': 'limit',
  '/api/queues/:queueName/:jobId/clean': 'removeOne',
  '/api/queues/:queueName/:jobId/update-data': 'editOne',
  '/api/queues/:queueName/:jobId/delay': 'deferOne',
  '/api/queues/:queueName/:jobId/priority': 'deferOne',
}

const MADE_BY_UPDATES =
  'These jobs are made by updates. To send one, use the HTTP interface, or add a job to the intake queue.'
const LIMITED_ELSEWHERE =
  'The lane has limits of its own, which everybody sees: RATE_LIMIT_MAX, CONCURRENCY, and lane hold to close it. One that is set here would slow it down without a sign.'
const GOES_WHEN_DUE =
  'A flush job goes when its window or backoff is over, in its turn. Promote sends it now, lane hold keeps all of them back.'
const LETTERS_GO_ONE_BY_ONE =
  'Removing a dead letter discards what was refused. Remove a single one, or use the command dead-letters discard.'
const NOT_TAKEN_IN =
  'A job that waits here is an update that was not taken in yet: removing or changing it would lose that. A worker takes it in within moments.'
const FAILED_GO_ONE_BY_ONE =
  'Failed jobs here hold updates that were refused. Mend and retry them, or remove them one by one.'

/** Refuses, with the way out, what is not to be pressed. */
export function guardQueues(lane: Lane, intake: Queue): BeforeHook {
  return async ({ method, route, request }) => {
    const action = QUEUE_ROUTES[route]
    if (action === undefined || method === 'get') return
    const { queueName, jobId = '', queueStatus = '' } = request.params as Readonly<Record<string, string | undefined>>
    if (action === 'limit') {
      // One that was set by other means can be taken away.
      return isLifted(request.body) ? undefined : { allow: false, status: 403, message: LIMITED_ELSEWHERE }
    }
    const message = await whyNot(action, queueName ?? '', jobId, queueStatus)
    return message === undefined ? undefined : { allow: false, status: 403, message }
  }

  async function whyNot(
    action: Exclude<Action, 'limit'>,
    queueName: string,
    jobId: string,
    status: string,
  ): Promise<string | undefined> {
    switch (queueName) {
      case lane.queueName:
        if (action === 'add') return MADE_BY_UPDATES
        if (action === 'deferOne') return GOES_WHEN_DUE
        return action === 'editOne'
          ? 'A flush job only shows what is pending for its run. To change that, send an update.'
          : undefined
      case lane.deadLetterQueueName:
        if (action === 'add') return MADE_BY_UPDATES
        return action === 'removeOne' || action === 'editOne' || action === 'deferOne'
          ? undefined
          : LETTERS_GO_ONE_BY_ONE
      case lane.intakeQueueName:
        if (action === 'add' || action === 'deferOne') return undefined
        if (action === 'clean') return cleanOfIntake(status)
        if (action === 'empty' || action === 'obliterate') return NOT_TAKEN_IN
        return (await hasEnded(jobId)) ? undefined : NOT_TAKEN_IN
      default:
        return undefined
    }
  }

  async function hasEnded(jobId: string): Promise<boolean> {
    const state = await intake.getJobState(jobId)
    return state === 'completed' || state === 'failed' || state === 'unknown'
  }
}

/** As Bull Board asks for it: a concurrency of 0, a rate of null. */
function isLifted(body: unknown): boolean {
  const { concurrency, max } = (body ?? {}) as { concurrency?: unknown; max?: unknown }
  return concurrency === 0 || max === null
}

function cleanOfIntake(status: string): string | undefined {
  if (status === 'completed') return undefined
  return status === 'failed' ? FAILED_GO_ONE_BY_ONE : NOT_TAKEN_IN
}
