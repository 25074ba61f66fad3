import { once } from 'node:events'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { orders, readAnnouncement } from '../../../src/pending/outcome.js'
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

test('the lane counts the PATCH and the updates that ended with it, together', async () => {
  await lane.write('run-2', { name: 'first' })
  const { generation } = await lane.write('run-2', { name: 'second' })
  const holder = { runId: 'run-2', generation, owner: 'w1' }
  const { entries, updates } = await lane.claim(holder)
  await lane.write('run-2', { name: 'meanwhile' })
  await lane.pending.settleAndRelease(holder, { writes: entries, outcome: {}, probe: '' }, updates)
  expect(await redis.hmget(lane.lane.throttle, 'applied', 'appliedUpdates')).toEqual(['1', '2'])
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

test('those who wait for the writes are told, by the step that takes them out', async () => {
  const { holder, applied, updates } = await claimed()
  const subscriber = server.client()
  await subscriber.subscribe(lane.lane.outcomes)
  const told = once(subscriber, 'message')
  const ended = { runId: RUN, outcome: 'applied', writes: orders(applied.writes), message: 'applied' } as const
  await lane.pending.settleAndRelease(holder, { ...applied, ended }, updates)
  const [, announcement] = await told
  expect(readAnnouncement(announcement)).toEqual(ended)
})

test('the next generation keeps the origins of what came in meanwhile, and whether somebody waits for it', async () => {
  const { generation } = await lane.write(RUN, { name: 'n' }, { origin: 'first' })
  const holder = { runId: RUN, generation, owner: 'w1' }
  const { entries, updates, origins, isAwaited } = await lane.claim(holder)
  expect({ origins, isAwaited }).toEqual({ origins: ['first'], isAwaited: false })
  lane.advanceMs(1)
  await lane.write(RUN, { name: 'newer' }, { origin: 'second' })
  lane.advanceMs(1)
  await lane.write(RUN, { name: 'newest' }, { origin: 'third', isAwaited: true })
  const applied = { writes: entries, outcome: {}, probe: '' }
  const released = await lane.pending.settleAndRelease(holder, applied, updates, origins)
  expect(released).toMatchObject({ kind: 'opened', origin: 'second' })
  const next = { ...holder, generation: released.kind === 'opened' ? released.generation : '' }
  expect(await lane.claim(next)).toMatchObject({ origins: ['second', 'third'], isAwaited: true, updates: 2 })
})

test('a count of applied runs that was edited into no number begins anew', async () => {
  const { holder, applied, updates } = await claimed()
  await redis.hset(lane.lane.throttle, 'applied', 'many')
  expect(await lane.pending.settleAndRelease(holder, applied, updates)).toEqual({ kind: 'gone' })
  expect(await redis.hget(lane.lane.throttle, 'applied')).toBe('1')
})
