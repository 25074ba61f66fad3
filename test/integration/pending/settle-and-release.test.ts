import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { TestLane } from './test-lane.js'

expectNoLeaks()

const RUN = 'run-1'

let server: TestRedis
let redis: Redis
let lane: TestLane

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

beforeEach(() => {
  lane = new TestLane(redis)
})

afterAll(() => server.close())

async function claimed(owner = 'w1') {
  const { generation } = await lane.write(RUN, { name: 'n', isPinned: true })
  const holder = { runId: RUN, generation, owner }
  const { entries, updates } = await lane.claim(holder)
  return { holder, updates, applied: { writes: entries, outcome: { status: 200 }, probe: '' } }
}

test('what was applied is remembered, and the pending update is gone', async () => {
  const { holder, applied, updates } = await claimed()
  expect(await lane.pending.settleAndRelease(holder, applied, updates)).toEqual({ kind: 'gone' })
  expect(await lane.pendingHash(RUN)).toEqual({})
  expect(await redis.zscore(lane.lane.index, RUN)).toBeNull()
  expect(await lane.sentHash(RUN)).toMatchObject({ outcome: '{"status":200}', newestUs: String(lane.nowUs) })
  expect(await redis.hget(lane.lane.throttle, 'applied')).toBe('1')
})

test('what came in meanwhile stays, in a new generation whose window began with it', async () => {
  const { holder, applied, updates } = await claimed()
  lane.advanceMs(300)
  await lane.write(RUN, { name: 'newer' })
  lane.advanceMs(200)
  const released = await lane.pending.settleAndRelease(holder, applied, updates)
  expect(released).toMatchObject({ kind: 'opened', delayMs: lane.policy.coalesceWindowMs - 200 })
  expect(await lane.pendingWrites(RUN)).toEqual({ name: 'newer' })
  expect(await lane.pendingHash(RUN)).toMatchObject({ updates: '1' })
})

test('one that woke up late settles what it has sent, and leaves the lease of the next owner', async () => {
  const { holder, applied, updates } = await claimed()
  lane.advanceMs(60_000)
  await lane.claim({ ...holder, owner: 'w2' })
  expect(await lane.pending.settleAndRelease(holder, applied, updates)).toEqual({ kind: 'leased' })
  expect(await lane.pendingHash(RUN)).toMatchObject({ leaseOwner: 'w2' })
  expect(await lane.pendingWrites(RUN)).toEqual({})
})

test('a success opens a lane that it has probed', async () => {
  const { generation } = await lane.write('b', { name: 'n' })
  await lane.throttle.report(RUN, { kind: 'throttled', reason: 'rate_limited', message: '' }, { epoch: 0, probe: '' })
  lane.advanceMs(1_000)
  const permit = await lane.takePermit('b')
  const holder = { runId: 'b', generation, owner: 'owner of b' }
  const { entries, updates } = await lane.claim(holder, permit)
  await lane.pending.settleAndRelease(holder, { writes: entries, outcome: {}, probe: permit.probe }, updates)
  expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
})
