import type { Queue } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openIntakeQueue } from '../../src/intake/intake-queue.js'
import { type Pipeline, startPipeline } from '../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'
import { type Board, startBoard } from './dashboard/board.js'
import { failedJob, refusal } from './dead-letters/letters.js'

/** Stalled jobs come again within moments. */
const SOON = { lockDurationMs: 400, stalledIntervalMs: 100 }

let redis: TestRedis
let pipeline: Pipeline
let board: Board
let intake: Queue

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
  board = await startBoard(pipeline, redis)
  intake = openIntakeQueue(redis.client({ maxRetriesPerRequest: null }), pipeline.lane)
})
afterEach(async () => {
  await intake.close()
  await board.close()
  await pipeline.close()
})

const BREAKS = [
  ['data that is no JSON', { data: '{"run": {"runId"' }, []],
  ['no data', {}, ['data']],
  ['no timestamp', {}, ['timestamp']],
  ['a timestamp that is no number', { timestamp: 'yesterday' }, []],
  ['options that are no JSON', { opts: '{' }, []],
  ['options that are null', { opts: 'null' }, []],
  ['no options', {}, ['opts']],
  ['a progress that is no JSON', { progress: '{' }, []],
  ['a parent that is no JSON', { parent: '{' }, []],
  ['a stack trace that is no JSON', { stacktrace: '{' }, []],
  ['no name', {}, ['name']],
] as const

async function breakJob(queue: Pick<Queue, 'toKey'>, id: string, set: object, missing: readonly string[]) {
  const client = redis.client()
  if (Object.keys(set).length > 0) await client.hset(queue.toKey(id), set)
  if (missing.length > 0) await client.hdel(queue.toKey(id), ...missing)
}

async function shown(queueName: string, status: string): Promise<{ status: number; ids: string[] }> {
  const url = `/dashboard/api/queues?activeQueue=${queueName}&status=${status}`
  const answer = await board.server.inject(url)
  const { queues } = answer.json<{ queues: { name: string; jobs: { id: string }[] }[] }>()
  return {
    status: answer.statusCode,
    ids: (queues.find(({ name }) => name === queueName)?.jobs ?? []).map(({ id }) => id).sort(),
  }
}

const update = (runId: string) => ({ run: { runId, name: 'n' } })

describe.each(BREAKS)('a job with %s', (_what, set, missing) => {
  test('of the intake ends, and holds no other up', async () => {
    const [broken, good] = await intake.addBulk(['run-1', 'run-2'].map((runId) => ({ name: 'u', data: update(runId) })))
    await breakJob(intake, broken?.id ?? '', set, missing)
    pipeline.addWorker(SOON)
    await waitFor('the good one', () => pipeline.simulator.runs.has('run-2'))
    const client = redis.client()
    const states = await waitFor('both to end', async () => {
      const found = await Promise.all([broken, good].map((job) => intake.getJobState(job?.id ?? '')))
      return found.every((state) => state === 'completed' || state === 'failed') && found
    })
    const reason = await client.hget(intake.toKey(broken?.id ?? ''), 'failedReason')
    if ('data' in set) expect([states[0], reason]).toEqual(['failed', expect.stringContaining('no JSON')])
    if (states[0] === 'completed') await waitFor('the broken one', () => pipeline.simulator.runs.has('run-1'))
    expect(await shown(pipeline.lane.intakeQueueName, states[0] ?? '')).toMatchObject({ status: 200 })
  })

  test('of the intake is listed beside the others while it waits', async () => {
    const jobs = await intake.addBulk(['run-1', 'run-2'].map((runId) => ({ name: 'u', data: update(runId) })))
    await breakJob(intake, jobs[0]?.id ?? '', set, missing)
    const ids = jobs.map(({ id }) => id)
    expect(await shown(pipeline.lane.intakeQueueName, 'waiting')).toEqual({ status: 200, ids })
    expect(await shown(pipeline.lane.intakeQueueName, 'latest')).toEqual({ status: 200, ids })
  })

  test('of a run is listed, and its update is sent all the same', async () => {
    const slow = pipeline.addProducer({ coalesceWindowMs: 1_000 })
    await slow.enqueueMany([update('run-1'), update('run-2')])
    const ids = await pipeline.flushQueue.queue.getRanges(['delayed'])
    const broken = ids.find((id) => id.startsWith('run-1')) ?? ''
    await breakJob(pipeline.flushQueue.queue, broken, set, missing)
    expect(await shown(pipeline.lane.queueName, 'delayed')).toEqual({ status: 200, ids: ids.sort() })
    pipeline.addWorker(SOON)
    await pipeline.drained()
    for (const run of ['run-1', 'run-2']) expect(pipeline.simulator.runs.get(run)).toMatchObject({ name: 'n' })
  })

  test('of a run is sent where nobody has looked at it before a worker takes it', async () => {
    await pipeline.addProducer({ coalesceWindowMs: 300 }).enqueueMany([update('run-1'), update('run-2')])
    const ids = await pipeline.flushQueue.queue.getRanges(['delayed'])
    const broken = ids.find((id) => id.startsWith('run-1')) ?? ''
    await breakJob(pipeline.flushQueue.queue, broken, set, missing)
    pipeline.addWorker(SOON)
    await pipeline.drained(20_000)
    for (const run of ['run-1', 'run-2']) expect(pipeline.simulator.runs.get(run)).toMatchObject({ name: 'n' })
  })

  test('of a dead letter is listed, with its cause', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    pipeline.addWorker(SOON)
    await failedJob(pipeline, id)
    await breakJob(pipeline.deadLetters.queue, id, set, missing)
    expect(await shown(pipeline.lane.deadLetterQueueName, 'failed')).toEqual({ status: 200, ids: [id] })
    expect((await board.press(pipeline.lane.deadLetterQueueName, 'GET', `/${id}`)).status).toBe(200)
  })
})

test('a job whose data was no JSON shows what was there', async () => {
  const { id = '' } = await intake.add('u', update('run-1'))
  await breakJob(intake, id, { data: 'run-1,n' }, [])
  const [job] = await board.jobs(pipeline.lane.intakeQueueName, 'waiting')
  expect(job?.data).toEqual({ 'was no JSON': 'run-1,n' })
})
