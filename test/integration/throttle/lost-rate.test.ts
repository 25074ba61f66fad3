import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'

const RATE = { max: 20, durationMs: 1_000 }
const RUNS = Array.from({ length: 30 }, (_, index) => `run-${index}`)

let redis: TestRedis
let pipeline: Pipeline

beforeEach(async () => {
  redis = await startTestRedis()
  pipeline = await startPipeline(redis)
})
afterEach(async () => {
  await pipeline.close()
  await redis.close()
})

test.each([
  ['a restart without persistence', () => redis.restart()],
  ['somebody who deletes its key', () => redis.client().del(pipeline.lane.throttle)],
])('a worker that goes on keeps to its rate after %s', async (_trouble, lose) => {
  const { simulator, lane } = pipeline
  const worker = pipeline.addWorker({ rateLimit: RATE })
  await worker.ready()
  await lose()
  await waitFor('the workers', async () => (await redis.client().ping()) === 'PONG')
  await pipeline.addProducer().enqueueMany(RUNS.map((runId) => ({ run: { runId, name: 'n' } })))
  await waitFor('all runs', () => simulator.runs.size === RUNS.length, { timeoutMs: 15_000 })
  expect(await redis.client().hget(lane.throttle, 'rate')).toBe('20 in 1000 ms')
  // A tenth more, for what the way does to the spacing.
  expect(simulator.peakPerSecond()).toBeLessThanOrEqual(RATE.max * 1.1)
})
