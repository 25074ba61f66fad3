import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'

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

/** The lane is held, and who took the probe has died of it a while ago, so that its time is over in a second. */
async function leaveProbeBehind(runId: string): Promise<void> {
  const { throttle, pending, producer } = pipeline
  const { generation } = await producer.enqueue({ run: { runId, name: 'n' } })
  await throttle.setRate({ max: 1_000, durationMs: 1_000 })
  const aWhileAgoUs = (Date.now() - 5_000) * 1000
  throttle.nowUs = aWhileAgoUs
  const slowDown = { kind: 'throttled', reason: 'rate_limited', message: 'slow down', waitMs: 1 } as const
  await throttle.report('another', slowDown, { epoch: 0, probe: '' })
  pending.nowUs = aWhileAgoUs + 2_000
  const asker = { runId, generation: generation ?? '', owner: 'gone' }
  expect(await pending.takeTurn(asker)).toMatchObject({ permit: { probe: '1' } })
  throttle.nowUs = ''
  expect(await throttle.read()).toMatchObject({ isProbing: true })
}

test('a lane whose probe died with its worker is probed again by workers that met it closed', async () => {
  await leaveProbeBehind('run-1')
  pipeline.addWorker()
  await pipeline.drained()
  expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'n' })
})
