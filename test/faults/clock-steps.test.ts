import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FakedClock, prepareFakedClock } from '../support/faked-clock.js'
import { type Fleet, startFleet } from '../support/fleet.js'
import { MixedUpdates } from '../support/mixed-updates.js'
import { startProducerProcess } from '../support/producer-process.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

const HOUR_S = 3_600

let dir: string
let clock: FakedClock
let redis: TestRedis
let fleet: Fleet

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sift-run-updater-clock-'))
  clock = await prepareFakedClock(dir)
  redis = await startTestRedis({ binary: clock.binary })
})
afterEach(async () => {
  await fleet.close()
  await redis.close()
  await rm(dir, { recursive: true })
})

async function stepTo(seconds: number): Promise<void> {
  const client = redis.client()
  await clock.setAheadSeconds(seconds)
  const [now] = await client.time()
  expect(Math.abs(Number(now) - Date.now() / 1_000 - seconds)).toBeLessThan(5)
  client.disconnect()
}

const STEPS = [-HOUR_S, 0, HOUR_S, 0, -HOUR_S, HOUR_S, 0]

test("steps of Redis's clock by an hour, back and forth, lose nothing, keep the order and don't stall the lane", async () => {
  fleet = await startFleet(redis)
  fleet.pipeline.simulator.setFaults({ latencyMs: 20, latencyJitterMs: 40 })
  // Without observations: the order is that of arrival alone, and must survive a clock that goes back.
  const mix = new MixedUpdates({ seed: 6, runs: 150, observedWithinMs: null, everyOtherKey: 500 })
  for (const seconds of STEPS) {
    const writing = fleet.send(mix.take(400))
    await fleet.pipeline.simulator.next('request')
    await stepTo(seconds)
    await writing
    await fleet.pipeline.drained(20_000)
  }
  await fleet.expectNothingLost()
  expect(fleet.ledger.count).toBe(STEPS.length * 400)
})

test('nor do they in an outage: the lane opens by a probe within its usual pause', async () => {
  fleet = await startFleet(redis)
  const { simulator, throttle } = fleet.pipeline
  const mix = new MixedUpdates({ seed: 9, runs: 150, observedWithinMs: null })
  for (const seconds of [-HOUR_S, 0, HOUR_S, 0]) {
    simulator.setFaults({ down: 'unavailable' })
    await fleet.send(mix.take(200))
    while ((await throttle.read()).reason !== 'outage') await simulator.next('finished')
    await stepTo(seconds)
    await simulator.next('finished')
    simulator.setFaults({ down: undefined })
    await fleet.pipeline.drained(20_000)
  }
  await fleet.expectNothingLost()
})

/** Writes whose flush jobs are missing, since their producer died before it added them. */
async function mergeWithoutJobs(round: string): Promise<readonly { runId: string; name: string }[]> {
  const runs = Array.from({ length: 100 }, (_, i) => ({ runId: `run-${round}-${i}`, name: `n ${i}` }))
  const { queueName } = fleet.pipeline.lane
  const dying = await startProducerProcess({ redis: redis.url, queueName, diesAfterMerge: true })
  await dying.enqueueMany(runs.map((run) => ({ run })))
  await dying.kill()
  return runs
}

async function expectAllNamed(runs: readonly { runId: string; name: string }[]): Promise<void> {
  await fleet.pipeline.drained(20_000)
  for (const { runId, name } of runs) expect(fleet.pipeline.simulator.runs.get(runId)?.name).toBe(name)
}

test('nor do they keep a sweeper that is at work from runs whose jobs are missing', async () => {
  fleet = await startFleet(redis)
  for (const seconds of [-HOUR_S, HOUR_S, 0]) {
    await stepTo(seconds)
    await expectAllNamed(await mergeWithoutJobs(`${seconds}`))
  }
})

test('nor from runs that were opened before the clock was set back', async () => {
  fleet = await startFleet(redis, { workers: 0 })
  const runs = await mergeWithoutJobs('early')
  await stepTo(-HOUR_S)
  await fleet.startWorkers(2)
  await expectAllNamed(runs)
})

test('nor from the runs of a worker that was killed while the clock was set back', async () => {
  fleet = await startFleet(redis, { workers: 1 })
  const { simulator, producer } = fleet.pipeline
  await fleet.send([{ run: { runId: 'early', name: 'n' } }])
  await fleet.expectNothingLost()
  await stepTo(-HOUR_S)
  simulator.setFaults({ latencyMs: 200 })
  const runs = Array.from({ length: 20 }, (_, i) => ({ runId: `run-${i}`, name: `n ${i}` }))
  await producer.enqueueMany(runs.map((run) => ({ run })))
  await simulator.next('request')
  await fleet.replaceWorker(0)
  await expectAllNamed(runs)
})
