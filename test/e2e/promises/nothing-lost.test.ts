import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Pipeline, QUICK, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { startWorkerProcess } from '../../support/worker-process.js'

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

const startWorker = () =>
  startWorkerProcess({
    redis: redis.url,
    queueName: pipeline.lane.queueName,
    sift: { baseUrl: pipeline.simulator.url, apiKey: 'a-key' },
    rateLimit: { max: 1_000, durationMs: 1_000 },
    ...QUICK,
    lockDurationMs: 1_000,
    stalledIntervalMs: 300,
  })

test('a worker that is killed in the middle of PATCHes loses nothing: another one goes on', async () => {
  pipeline.simulator.setFaults({ latencyMs: 100 })
  const updates = Array.from({ length: 200 }, (_, i) => ({
    run: { runId: `run-${i}`, name: `n ${i}`, tags: [`${i}`] },
  }))
  const killed = await startWorker()
  await pipeline.producer.enqueueMany(updates)
  await pipeline.simulator.next('applied')
  await killed.kill()
  expect(pipeline.simulator.runs.size).toBeLessThan(200)

  const other = await startWorker()
  await pipeline.drained(30_000)
  await other.close()
  for (const { run } of updates) {
    expect(pipeline.simulator.runs.get(run.runId)).toMatchObject({ name: run.name, tags: run.tags })
  }
  expect(pipeline.simulator.maxInFlightPerRun()).toBe(1)
})

test('a worker that is asked to end lets requests in flight finish and gives the rest back', async () => {
  pipeline.simulator.setFaults({ latencyMs: 200 })
  const updates = Array.from({ length: 60 }, (_, i) => ({ run: { runId: `run-${i}`, name: `n ${i}` } }))
  const first = await startWorker()
  await pipeline.producer.enqueueMany(updates)
  await pipeline.simulator.next('request')
  await first.close()
  expect(pipeline.simulator.counters.unanswered).toBe(0)
  const counts = await pipeline.flushQueue.queue.getJobCounts('active', 'waiting', 'delayed')
  expect(counts.active).toBe(0)
  expect((counts.waiting ?? 0) + (counts.delayed ?? 0)).toBe(60 - pipeline.simulator.runs.size)

  pipeline.addWorker()
  await pipeline.drained()
  expect(pipeline.simulator.runs.size).toBe(60)
})
