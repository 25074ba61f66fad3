import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'

let redis: TestRedis
let pipeline: Pipeline

beforeEach(async () => {
  redis = await startTestRedis({ appendfsync: 'always' })
  pipeline = await startPipeline(redis)
})
afterEach(async () => {
  await pipeline.close()
  await redis.close()
})

describe('close', () => {
  test('cuts requests that take longer than it was told to wait', async () => {
    pipeline.simulator.setFaults({ latencyMs: 20_000 })
    const worker = pipeline.addWorker({ requestTimeoutMs: 30_000, ambiguityGraceMs: 100 })
    await worker.ready()
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await pipeline.simulator.next('request')
    await worker.close({ timeoutMs: 50 })
    expect(pipeline.simulator.counters.unanswered).toBe(1)

    pipeline.simulator.setFaults({ latencyMs: 0 })
    pipeline.addWorker()
    await pipeline.drained()
  })

  test('takes the requests that it cuts for no trouble of Sift: the lane stays open', async () => {
    const { producer, simulator, throttle } = pipeline
    simulator.setFaults({ latencyMs: 20_000 })
    const worker = pipeline.addWorker({ requestTimeoutMs: 30_000 })
    const runs = Array.from({ length: 12 }, (_, index) => ({ run: { runId: `run-${index}`, name: 'n' } }))
    await producer.enqueueMany(runs)
    await waitFor('all requests', () => simulator.counters.received === runs.length)
    await worker.close({ timeoutMs: 50 })
    expect(simulator.counters.unanswered).toBe(runs.length)
    expect(await throttle.read()).toMatchObject({ state: 'open' })
  })

  test('ends also where Redis is gone, and the work goes on when it is back', async () => {
    pipeline.simulator.setFaults({ latencyMs: 200 })
    const worker = pipeline.addWorker({ lockDurationMs: 1_000, stalledIntervalMs: 200 })
    await worker.ready()
    await pipeline.producer.enqueueMany([1, 2, 3].map((i) => ({ run: { runId: `run-${i}`, name: 'n' } })))
    await pipeline.simulator.next('request')
    await redis.kill()
    await worker.close({ timeoutMs: 100 })

    await redis.restart()
    pipeline.addWorker({ lockDurationMs: 1_000, stalledIntervalMs: 200 })
    await pipeline.drained(20_000)
    expect(pipeline.simulator.runs.size).toBe(3)
  })

  test.each([
    ['with nothing to do', 0],
    ['with requests in flight', 3],
  ])('ends also where Redis hangs, %s', async (_what, runs) => {
    pipeline.simulator.setFaults({ latencyMs: 20_000 })
    const worker = pipeline.addWorker()
    await worker.ready()
    await pipeline.producer.enqueueMany(
      Array.from({ length: runs }, (_, index) => ({ run: { runId: `run-${index}`, name: 'n' } })),
    )
    if (runs > 0) await pipeline.simulator.next('request')
    redis.freeze()
    const start = performance.now()
    await worker.close({ timeoutMs: 100 })
    expect(performance.now() - start).toBeLessThan(4_000)
    redis.thaw()
  })

  test('a worker that never reached Redis ends at once', async () => {
    await redis.kill()
    const worker = pipeline.addWorker()
    await worker.close({ timeoutMs: 100 })
    await redis.restart()
  })
})
