import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { seededDraws } from '../../src/simulator/seeded-draws.js'
import { type Fleet, startFleet } from '../support/fleet.js'
import { MixedUpdates } from '../support/mixed-updates.js'
import { startProducerProcess } from '../support/producer-process.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

const KILLS = 20

let redis: TestRedis
let fleet: Fleet

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
afterEach(() => fleet.close())

test(`workers that are killed ${KILLS} times at random moments lose nothing`, async () => {
  const draw = seededDraws(1, 'kills')
  fleet = await startFleet(redis)
  const { pipeline, workers } = fleet
  pipeline.simulator.setFaults({ latencyMs: 20, latencyJitterMs: 60 })
  const mix = new MixedUpdates({ seed: 1, runs: 200, everyBadStop: 400, everyOtherKey: 500 })

  let isKilling = true
  const kill = async () => {
    for (let kills = 0; kills < KILLS; kills++) {
      const requests = 1 + Math.floor(draw() * 40)
      for (let seen = 0; seen < requests; seen++) await pipeline.simulator.next('request')
      await fleet.replaceWorker(Math.floor(draw() * workers.length))
    }
    isKilling = false
  }
  const write = async () => {
    while (isKilling) await fleet.send(mix.take(100))
  }
  await Promise.all([kill(), write()])
  await fleet.expectNothingLost()
  expect(fleet.ledger.count).toBeGreaterThan(1_000)
})

test('a producer that dies after the merge, before it adds the flush jobs, has lost nothing', async () => {
  fleet = await startFleet(redis, { workers: 0 })
  const { pipeline } = fleet
  const { queueName } = pipeline.lane
  const updates = Array.from({ length: 1_000 }, (_, i) => ({ run: { runId: `run-${i}`, name: `n ${i}`, tags: ['t'] } }))
  // As many as one merge takes: what would follow it was neither sent nor acknowledged.
  for (let start = 0; start < updates.length; start += 125) {
    const dying = await startProducerProcess({ redis: redis.url, queueName, diesAfterMerge: true })
    expect(await dying.enqueueMany(updates.slice(start, start + 125))).toEqual([])
    await dying.kill()
  }
  expect(await pipeline.flushQueue.queue.getJobCountByTypes('waiting', 'delayed')).toBe(0)

  await fleet.startWorkers(2)
  await pipeline.drained(30_000)
  for (const { run } of updates) {
    expect(pipeline.simulator.runs.get(run.runId)).toMatchObject({ name: run.name, tags: run.tags })
  }
  expect(pipeline.simulator.maxInFlightPerRun()).toBe(1)
})

test(`producers that are killed ${KILLS} times in the middle of their calls lose nothing that is sent again`, async () => {
  const draw = seededDraws(2, 'kills')
  fleet = await startFleet(redis)
  const { pipeline, ledger } = fleet
  const { queueName } = pipeline.lane
  const mix = new MixedUpdates({ seed: 2, runs: 200, everyBadStop: 400, everyOtherKey: 500 })

  for (let kills = 0; kills < KILLS; kills++) {
    const producer = await startProducerProcess({ redis: redis.url, queueName, diesAfterMerge: kills % 4 === 0 })
    const batch = mix.take(100)
    const rival = fleet.send(mix.take(100))
    const sent = producer.enqueueMany(batch)
    // It dies before, while or after it is at work, as the draw has it; or at its merge.
    for (let turns = Math.floor(draw() * 30); turns > 0; turns--) await new Promise(setImmediate)
    await producer.kill()
    const acknowledged = await sent
    for (const [index, update] of batch.entries()) {
      const acknowledgement = acknowledged[index]
      if (acknowledgement) ledger.acknowledge(update, acknowledgement)
    }
    await rival
    await fleet.send(batch.slice(acknowledged.length))
  }
  await fleet.expectNothingLost()
  expect(ledger.count).toBe(KILLS * 200)
})
