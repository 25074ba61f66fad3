import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { flushAllNow, flushNow } from '../../../src/flush-queue/flush-now.js'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'

let redis: TestRedis
let pipeline: Pipeline

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await pipeline.close()
})

/** Merged, and its job gone. */
async function loseJobOf(runId: string): Promise<void> {
  const { generation } = await pipeline.producer.enqueue({ run: { runId, name: 'n' } })
  await pipeline.flushQueue.queue.remove(`${runId}.${generation}`)
}

/** The wall clock of this machine, not Redis's; returns what sets it right. */
function setClockAheadMs(ms: number): () => void {
  const read = Date.now
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => read() + ms)
  return () => clock.mockRestore()
}

/** Something that is no pending update, under the key of one. */
async function putStrangeKeyAt(runId: string): Promise<void> {
  const client = redis.client()
  await client.set(pipeline.lane.pending(runId), 'strange')
  await client.zadd(pipeline.lane.index, 0, runId)
}

describe('the sweeper', () => {
  test('gives a run that lost its job another one', async () => {
    await loseJobOf('run-1')
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'n' })
  })

  test('sends a run whose job a person has moved a year ahead', async () => {
    const slow = pipeline.addProducer({ coalesceWindowMs: 500 })
    const { generation } = await slow.enqueue({ run: { runId: 'run-1', name: 'n' } })
    const { queue } = pipeline.flushQueue
    const nextYear = (Date.now() + 365 * 86_400_000) * 0x1000
    await redis.client().zadd(queue.toKey('delayed'), nextYear, `run-1.${generation}`)
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'n' })
  })

  test("sends in seconds what a producer has added whose machine's clock is an hour ahead", async () => {
    const setRight = setClockAheadMs(3_600_000)
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    setRight()
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'n' })
  })

  test("sends what backs off though the clock of the worker's machine is set back an hour", async () => {
    pipeline.simulator.setFaults({ down: 'unavailable' })
    const setBack = setClockAheadMs(3_600_000)
    const { facts } = pipeline.addWorker({ minBackoffMs: 500, maxBackoffMs: 500 })
    const deferred = new Promise((resolve) => facts.once('run:deferred', resolve))
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await deferred
    await waitFor('the backoff', async () => (await pipeline.flushQueue.queue.getDelayedCount()) === 1)
    setBack()
    pipeline.simulator.setFaults({ down: undefined })
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'n' })
  })

  test("lets BullMQ look for a killed worker's jobs where a clock set back has put the next look an hour off", async () => {
    const { lane } = pipeline
    const client = redis.client()
    const looks = [lane.queueName, lane.intakeQueueName, lane.deadLetterQueueName].map(
      (queueName) => `${lane.prefix}:${queueName}:stalled-check`,
    )
    for (const look of looks) await client.set(look, Date.now(), 'PX', 3_600_000)
    pipeline.addWorker({ stalledIntervalMs: 500 })
    for (const look of looks) await waitFor(look, async () => (await client.pttl(look)) <= 500)
  })

  test('leaves a job alone that is due within a window of an hour', async () => {
    const slow = pipeline.addProducer({ coalesceWindowMs: 3_600_000 })
    const { generation } = await slow.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await loseJobOf('run-2')
    pipeline.addWorker()
    await waitFor('the sweep', () => pipeline.simulator.runs.has('run-2'))
    expect(await pipeline.flushQueue.queue.getRanges(['delayed'])).toEqual([`run-1.${generation}`])
  })

  test('finds also those runs whose jobs are there, and in none of the lists of BullMQ', async () => {
    const runIds = ['run-1', 'run-2', 'run-3']
    await pipeline.producer.enqueueMany(runIds.map((runId) => ({ run: { runId, name: 'n' } })))
    await redis.client().del(pipeline.flushQueue.queue.toKey('delayed'))
    pipeline.addWorker()
    await pipeline.drained()
    for (const runId of runIds) expect(pipeline.simulator.runs.get(runId)).toMatchObject({ name: 'n' })
  })

  test('passes over a key that is no pending update, names it, and goes on with the others', async () => {
    await putStrangeKeyAt('strange')
    await loseJobOf('run-1')
    const told: string[] = []
    pipeline.addWorker().facts.on('redis:trouble', ({ error }) => told.push(error.message))
    await waitFor('the other run', () => pipeline.simulator.runs.has('run-1'))
    expect(told.join()).toContain(pipeline.lane.pending('strange'))
  })

  test('repairs a pending update whose generation a person has taken out', async () => {
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await redis.client().hdel(pipeline.lane.pending('run-1'), 'generation')
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'n' })
  })
})

test('a flush by hand says of a strange key that it is one, and of a missing generation that it is there again', async () => {
  const parts = { redis: redis.client(), ...pipeline }
  await putStrangeKeyAt('strange')
  await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
  await redis.client().hdel(pipeline.lane.pending('run-1'), 'generation')
  const told: Record<string, string> = {}
  await flushAllNow(parts, (runId, flushed) => {
    told[runId] = flushed
  })
  expect(told).toEqual({ strange: 'unreadable', 'run-1': 'reopened' })
  expect(await flushNow(parts, 'nobody')).toBe('nothing_pending')
})
