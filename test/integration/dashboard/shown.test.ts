import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { failedJob, refusal } from '../dead-letters/letters.js'
import { type Board, startBoard } from './board.js'

let redis: TestRedis
let pipeline: Pipeline
let board: Board

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
  board = await startBoard(pipeline, redis)
})
afterEach(async () => {
  await board.close()
  await pipeline.close()
})

test('each queue is listed with a sentence on what it holds', async () => {
  const { queues } = (await board.server.inject('/dashboard/api/queues')).json()
  expect(queues.map(({ name, description }: { name: string; description: string }) => [name, description])).toEqual([
    [pipeline.lane.queueName, expect.stringMatching(/pending/)],
    [pipeline.lane.intakeQueueName, expect.stringMatching(/BullMQ clients/)],
    [pipeline.lane.deadLetterQueueName, expect.stringMatching(/refused/)],
  ])
})

describe('a flush job that waits', () => {
  test('shows the update that is pending now, and not the one that opened it', async () => {
    const slow = pipeline.addProducer({ coalesceWindowMs: 60_000 })
    await slow.enqueue({ run: { runId: 'run-1', name: 'first' }, source: 'a-service' })
    const [before] = await board.jobs(pipeline.lane.queueName, 'delayed')
    expect(before).toMatchObject({ name: 'run-1', data: { pending: { name: 'first' }, updates: 1 } })
    await slow.enqueue({ run: { runId: 'run-1', name: 'second', tags: null }, source: 'b-service' })
    const [after] = await board.jobs(pipeline.lane.queueName, 'delayed')
    const writtenBy = { name: expect.stringMatching(/^b-service, observed 20/) }
    expect(after?.data).toMatchObject({ pending: { name: 'second', tags: null }, writtenBy, updates: 2 })
    const { body } = await board.press(pipeline.lane.queueName, 'GET', `/${after?.id}`)
    expect(body).toMatchObject({ job: { data: { pending: { name: 'second' } } }, status: 'delayed' })
  })

  test('costs one read of its run, and none of any other', async () => {
    const slow = pipeline.addProducer({ coalesceWindowMs: 60_000 })
    await slow.enqueueMany(Array.from({ length: 10 }, (_, index) => ({ run: { runId: `run-${index}`, name: 'n' } })))
    const watcher = redis.client()
    const monitor = await watcher.monitor()
    const reads: string[][] = []
    monitor.on('monitor', (_time: string, args: string[]) => {
      if (args[0]?.toLowerCase() === 'hgetall' && args[1]?.includes('.pending:')) reads.push(args)
    })
    expect(await board.jobs(pipeline.lane.queueName, 'delayed')).toHaveLength(10)
    expect(reads).toHaveLength(10)
    monitor.disconnect()
  })

  test('is shown where its pending update was replaced by something else in Redis', async () => {
    await pipeline.addProducer({ coalesceWindowMs: 60_000 }).enqueue({ run: { runId: 'run-1', name: 'n' } })
    const client = redis.client()
    await client.set(pipeline.lane.pending('run-1'), 'no hash')
    expect(await board.jobs(pipeline.lane.queueName, 'delayed')).toMatchObject([{ data: { pending: null } }])
  })
})

test('a dead letter shows its run, its reason and its cause', async () => {
  const { id } = await pipeline.deadLetters.record(refusal('run-1'))
  pipeline.addWorker()
  await failedJob(pipeline, id)
  expect(await board.jobs(pipeline.lane.deadLetterQueueName, 'failed')).toMatchObject([
    { id, name: 'invalid_argument: run-1', failedReason: 'the API says no', data: { run: { name: 'refused' } } },
  ])
})

test('the page names no other host and has nothing inline that a strict Content-Security-Policy refuses', async () => {
  const { body } = await board.server.inject('/dashboard')
  expect(body).toContain('id="root"')
  expect(body).not.toMatch(/https?:\/\//)
  expect(body).not.toMatch(/<style|\sstyle=|\son\w+=/)
  expect(body).not.toMatch(/<script(?![^>]*(src=|type="application\/json"))/)
})
