import { Worker } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { failedJob, listLetters, refusal } from './letters.js'

let redis: TestRedis
let pipeline: Pipeline

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
})
afterEach(() => pipeline.close())

/** As if a minute had gone by: letters younger than that may still be on their way into their queue. */
async function letAMinutePass(): Promise<void> {
  const client = redis.client()
  const ids = await client.zrange(pipeline.lane.deadLetterIds, '0', '-1')
  for (const id of ids) await client.zadd(pipeline.lane.deadLetterIds, 'XX', 0, id)
}

describe('a letter that is discarded', () => {
  test('counts as removed at once, and once', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    expect(await pipeline.deadLetters.discard(id)).toMatchObject({ kind: 'discarded', letter: { id } })
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 0, removed: 1 })
    await letAMinutePass()
    await pipeline.deadLetters.reckon()
    expect(await pipeline.deadLetters.discard(id)).toEqual({ kind: 'missing' })
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 0, removed: 1 })
  })

  test('stays while it is being retried', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))

    const connection = redis.client({ maxRetriesPerRequest: null })
    const retrying = new Worker(pipeline.lane.deadLetterQueueName, null, { connection, prefix: pipeline.lane.prefix })
    await retrying.getNextJob('a token')
    expect(await pipeline.deadLetters.discard(id)).toEqual({ kind: 'busy' })
    expect(await listLetters(pipeline)).toMatchObject([{ id }])
    await retrying.close(true)
  })
})

describe('a letter whose job is removed by other means counts as removed', () => {
  const queue = () => pipeline.deadLetters.queue
  const means: readonly [string, (id: string) => Promise<unknown>][] = [
    ['remove', (id) => queue().remove(id)],
    ['clean', () => queue().clean(0, 100, 'failed')],
    ['obliterate', () => queue().obliterate({ force: true })],
  ]
  test.each(means)('%s', async (_name, remove) => {
    const worker = pipeline.addWorker()
    const gone = await pipeline.deadLetters.record(refusal('run-1'))
    await failedJob(pipeline, gone.id)
    await worker.close()
    await remove(gone.id)
    await pipeline.deadLetters.record(refusal('run-2'))
    await letAMinutePass()
    await pipeline.deadLetters.reckon()
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 2, redriven: 0, removed: 1 })
    expect(await listLetters(pipeline)).toMatchObject([{ runId: 'run-2' }])
  })
})

test('a letter that was recorded within the last minute is not taken for removed', async () => {
  const { id } = await pipeline.deadLetters.record(refusal('run-1'))
  await pipeline.deadLetters.queue.remove(id)
  await pipeline.deadLetters.reckon()
  expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 0, removed: 0 })
})

test('recorded is redriven, removed and present, whatever became of each', async () => {
  const letters = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((run) => pipeline.deadLetters.record(refusal(run))))
  const [first, second, third] = letters.map(({ id }) => id)
  await pipeline.deadLetters.retry(first ?? '')
  await pipeline.deadLetters.discard(second ?? '')
  await pipeline.deadLetters.queue.remove(third ?? '')
  await letAMinutePass()
  await pipeline.deadLetters.reckon()
  const { recorded, redriven, removed } = await pipeline.deadLetters.counts()
  expect({ recorded, redriven, removed }).toEqual({ recorded: 5, redriven: 1, removed: 2 })
  expect(await listLetters(pipeline)).toHaveLength(recorded - redriven - removed)
})

test('a list goes on where letters are removed while it is read', async () => {
  const runs = Array.from({ length: 1_200 }, (_, i) => `run-${i}`)
  await Promise.all(runs.map((run) => pipeline.deadLetters.record(refusal(run))))
  const seen: string[] = []
  for await (const { data } of pipeline.deadLetters.list()) {
    seen.push(data.runId)
    await pipeline.deadLetters.queue.remove(data.id)
  }
  expect(seen.toSorted()).toEqual(runs.toSorted())
})
