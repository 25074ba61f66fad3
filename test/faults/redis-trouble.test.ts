import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { type Fleet, LOCK_MS, startFleet } from '../support/fleet.js'
import { MixedUpdates } from '../support/mixed-updates.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

/** How far a Redis that syncs its file every second may fall behind. */
const EVERYSEC_BEHIND_MS = 2_000

const ROUNDS = 5

let redis: TestRedis
let fleet: Fleet

afterEach(async () => {
  await fleet.close()
  await redis.close()
})

/** Writes without a pause; after each so many batches of a producer, something happens to Redis. */
async function writeThrough(trouble: () => Promise<void>): Promise<void> {
  fleet.pipeline.simulator.setFaults({ latencyMs: 20, latencyJitterMs: 60 })
  const mix = new MixedUpdates({ seed: 3, runs: 200, everyBadStop: 400, everyOtherKey: 500 })
  for (let round = 0; round < ROUNDS; round++) {
    const writing = fleet.send(mix.take(600))
    await fleet.pipeline.simulator.next('request')
    await trouble()
    await writing
  }
}

async function killAndRestart(): Promise<void> {
  await redis.kill()
  await redis.restart()
}

test(`a Redis with appendfsync always that is killed ${ROUNDS} times loses nothing that was acknowledged`, async () => {
  redis = await startTestRedis({ appendfsync: 'always' })
  fleet = await startFleet(redis)
  await writeThrough(killAndRestart)
  await fleet.expectNothingLost()
  expect(fleet.ledger.count).toBe(ROUNDS * 600)
})

test('with appendfsync everysec it loses at most what was acknowledged in the last two seconds', async () => {
  redis = await startTestRedis({ appendfsync: 'everysec' })
  fleet = await startFleet(redis)
  const { pipeline, ledger } = fleet
  const killedAt: number[] = []
  await writeThrough(async () => {
    killedAt.push(performance.now())
    await killAndRestart()
  })
  await pipeline.drained(60_000)
  const differences = await ledger.differences(pipeline)
  const mayDiffer = differences.filter((difference) => {
    return killedAt.some((moment) => ledger.isWrittenSince(moment - EVERYSEC_BEHIND_MS, difference))
  })
  expect(differences).toEqual(mayDiffer)
  console.info(`everysec: ${differences.length} fields lost in ${killedAt.length} kills`)
})

test('a Redis that is stopped for longer than the lock of a job brings no second PATCH of a run in flight', async () => {
  redis = await startTestRedis()
  fleet = await startFleet(redis, { worker: { requestTimeoutMs: 2_000 } })
  await writeThrough(async () => {
    redis.freeze()
    // Nothing tells that it has been stopped for long enough: the span is the fault.
    await delay(LOCK_MS * 1.5)
    redis.thaw()
  })
  await fleet.expectNothingLost()
  expect(fleet.ledger.count).toBe(ROUNDS * 600)
})
