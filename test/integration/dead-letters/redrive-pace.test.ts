import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { SCRIPTS } from '../../../src/dead-letters/scripts.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { TestLane } from '../pending/test-lane.js'

expectNoLeaks()

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Of two permits, each with its two percent, at one request a minute. */
const SPACING_MS = 2 * MINUTE_MS * 1.02

let server: TestRedis
let redis: Redis
let lane: TestLane

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})
afterAll(() => server.close())
beforeEach(async () => {
  lane = new TestLane(redis)
  await lane.throttle.setRate({ max: 1, durationMs: MINUTE_MS })
})

/** How long the next redrive waits for its slot. */
async function askWaitMs(furthestSlots = 200): Promise<number> {
  const { throttle, redrivePace: pace } = lane.lane
  const args = { nowUs: lane.nowUs, permitsASlot: 2, furthestSlots }
  return Number(await SCRIPTS.takeRedriveSlot.run(redis, { throttle, pace }, args)) / 1000
}

test('a redrive that is alone never waits', async () => {
  expect(await askWaitMs()).toBe(0)
  lane.advanceMs(SPACING_MS)
  expect(await askWaitMs()).toBe(0)
})

test('the others wait for every second permit', async () => {
  expect([await askWaitMs(), await askWaitMs(), await askWaitMs()]).toEqual([0, SPACING_MS, 2 * SPACING_MS])
  lane.advanceMs(SPACING_MS)
  expect(await askWaitMs()).toBe(2 * SPACING_MS)
})

test('a clock set back an hour makes nobody wait for it', async () => {
  await askWaitMs()
  lane.advanceMs(-HOUR_MS)
  expect([await askWaitMs(), await askWaitMs()]).toEqual([SPACING_MS, 2 * SPACING_MS])
})

test('nor does one that leaps an hour, and comes back', async () => {
  lane.advanceMs(HOUR_MS)
  await askWaitMs()
  lane.advanceMs(-HOUR_MS)
  expect(await askWaitMs()).toBe(SPACING_MS)
})

test('a rate that was slow leaves no slot further ahead than can wait at the one of now', async () => {
  for (let asked = 0; asked < 30; asked++) await askWaitMs()
  await lane.throttle.setRate({ max: 60, durationMs: MINUTE_MS })
  expect(await askWaitMs()).toBeCloseTo((200 * SPACING_MS) / 60)
})
