import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

let redis: TestRedis
let pipeline: Pipeline

beforeAll(async () => {
  // An empty Redis has more than one percent of this in use.
  redis = await startTestRedis({ args: ['--maxmemory', '50mb', '--maxmemory-policy', 'noeviction'] })
  pipeline = await startPipeline(redis)
})
afterAll(async () => {
  await pipeline.close()
  await redis.close()
})

test('where Redis is short of memory, new runs are refused, and pending ones still merge', async () => {
  const update = (runId: string, name: string) => ({ run: { runId, name } })
  await pipeline.producer.enqueue(update('pending', 'first'))

  const short = pipeline.addProducer({ maxRedisMemoryPercent: 1 })
  const results = await short.enqueueMany([update('new', 'n'), update('pending', 'second')])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'accepted'])
  expect(results[0]?.error).toMatchObject({ code: 'overloaded' })
  expect(await redis.client().hget(pipeline.lane.pending('pending'), 'value:name')).toBe('"second"')
  expect(await redis.client().exists(pipeline.lane.pending('new'))).toBe(0)
})
