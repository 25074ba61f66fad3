import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Holder } from '../../../src/pending/pending-updates.js'
import { leaseMs } from '../../../src/policy.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { FIRST_EPOCH, TestLane } from './test-lane.js'

expectNoLeaks()

const HOUR_MS = 3_600_000
const RUN = 'run-1'

let server: TestRedis
let redis: Redis
let lane: TestLane
let holder: Holder
let other: Holder

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

beforeEach(async () => {
  lane = new TestLane(redis)
  const { generation } = await lane.write(RUN, { name: 'n' }, { source: 'a b' })
  holder = { runId: RUN, generation, owner: 'w1' }
  other = { ...holder, owner: 'w2' }
})

afterAll(() => server.close())

const claim = (as: Holder) => lane.pending.claim(as, FIRST_EPOCH)

describe('a claim', () => {
  test('hands out the entries with their bookkeeping, and takes the lease', async () => {
    const { entries, ...granted } = await lane.claim(holder)
    expect(entries).toMatchObject([
      { path: 'name', value: 'n', observedUs: lane.nowUs, arrivedUs: lane.nowUs, redrives: 0, source: 'a b' },
    ])
    expect(granted).toMatchObject({
      nowUs: lane.nowUs,
      openedUs: lane.nowUs,
      updates: 1,
      failures: 0,
      tries: 0,
      corrupt: [],
    })
    expect(await lane.pendingHash(RUN)).toMatchObject({
      leaseOwner: 'w1',
      leaseUntilUs: String(lane.nowUs + leaseMs(lane.policy) * 1000),
    })
  })

  test('of another owner waits for the end of the lease', async () => {
    await claim(holder)
    lane.advanceMs(leaseMs(lane.policy) - 1)
    expect(await claim(other)).toEqual({ kind: 'leased', remainingMs: 1 })
    lane.advanceMs(1)
    expect(await claim(other)).toMatchObject({ kind: 'granted' })
    expect(await claim(holder)).toEqual({ kind: 'leased', remainingMs: leaseMs(lane.policy) })
  })

  test('of the same owner is granted again, and renews the lease', async () => {
    await claim(holder)
    lane.advanceMs(1_000)
    expect(await claim(holder)).toMatchObject({ kind: 'granted' })
    expect(await claim(other)).toEqual({ kind: 'leased', remainingMs: leaseMs(lane.policy) })
  })

  test('waits one lease, not an hour, where the clock was set back by one', async () => {
    await claim(holder)
    lane.advanceMs(-HOUR_MS)
    expect(await claim(other)).toEqual({ kind: 'leased', remainingMs: leaseMs(lane.policy) })
    lane.advanceMs(leaseMs(lane.policy))
    expect(await claim(other)).toMatchObject({ kind: 'granted' })
  })

  test('of an old generation, or of a run with nothing pending, is superseded', async () => {
    expect(await claim({ ...holder, generation: '0' })).toEqual({ kind: 'superseded' })
    expect(await claim({ ...holder, runId: 'nobody' })).toEqual({ kind: 'superseded' })
  })

  test('after all was settled hands out nothing', async () => {
    await lane.settle(RUN, (await lane.claim(holder)).entries)
    expect((await lane.claim(holder)).entries).toEqual([])
  })

  test('tells entries that were edited into what cannot be read, beside those that can', async () => {
    await lane.write(RUN, { description: 'd', tags: ['t'] })
    await redis.hset(lane.lane.pending(RUN), { 'stamp:name': 'gone', 'value:tags': '[', 'value:no such': '1' })
    const { entries, corrupt } = await lane.claim(holder)
    expect(entries.map(({ path }) => path)).toEqual(['description'])
    expect(corrupt.map(({ path }) => path).sort()).toEqual(['name', 'no such', 'tags'])
    await lane.pending.setAside(RUN, corrupt, { message: 'corrupt' })
    await lane.settle(RUN, entries)
    expect(await lane.pending.release(holder, 2)).toEqual({ kind: 'gone' })
  })
})

describe('a failure', () => {
  const failed = (failure: 'counted' | 'uncounted' | 'held' | 'none', as = holder) =>
    lane.pending.defer(as, { failure })

  test('counts only if another run was applied since the first claim of its generation', async () => {
    await lane.applyAnother('fine-0')
    await claim(holder)
    expect(await failed('counted')).toEqual({ failures: 0, tries: 1 })
    await claim(holder)
    await lane.applyAnother('fine-1')
    expect(await failed('counted')).toEqual({ failures: 1, tries: 2 })
  })

  test('counts only if another run was applied since the last one', async () => {
    await claim(holder)
    await lane.applyAnother('fine')
    expect(await failed('counted')).toEqual({ failures: 1, tries: 1 })
    expect(await failed('counted')).toEqual({ failures: 1, tries: 2 })
    await lane.applyAnother('fine')
    expect(await failed('counted')).toEqual({ failures: 2, tries: 3 })
  })

  test('that says nothing of the run is a try, and does not count', async () => {
    await claim(holder)
    await lane.applyAnother('fine')
    expect(await failed('uncounted')).toEqual({ failures: 0, tries: 1 })
    expect(await failed('none')).toEqual({ failures: 0, tries: 1 })
  })

  test("does not count for the run's own success in another part of it", async () => {
    await lane.write(RUN, { description: 'd' })
    const { entries } = await lane.claim(holder)
    await lane.settle(RUN, entries.slice(0, 1))
    expect(await failed('counted')).toEqual({ failures: 0, tries: 1 })
  })

  test("is forgotten by the run's own success", async () => {
    const { entries } = await lane.claim(holder)
    await lane.applyAnother('fine')
    await failed('counted')
    await lane.settle(RUN, entries)
    expect(await lane.claim(holder)).toMatchObject({ failures: 0, tries: 0 })
  })

  test('that held the lane counts at the next claim, once another run was applied', async () => {
    await claim(holder)
    expect(await failed('held')).toEqual({ failures: 0, tries: 0 })
    await lane.applyAnother('fine')
    expect(await lane.claim(holder)).toMatchObject({ failures: 1, tries: 1, mustBackOff: true })
    expect(await lane.claim(holder)).toMatchObject({ failures: 1, tries: 1, mustBackOff: false })
    expect(await failed('counted')).toEqual({ failures: 1, tries: 2 })
  })

  test('that held the lane does not count where none was applied until the next claim', async () => {
    await claim(holder)
    await failed('held')
    expect(await lane.claim(holder)).toMatchObject({ failures: 0, mustBackOff: false })
    await lane.applyAnother('fine')
    expect(await lane.claim(holder)).toMatchObject({ failures: 0, mustBackOff: false })
  })

  test('of an old generation changes nothing', async () => {
    await claim(holder)
    await lane.applyAnother('fine')
    expect(await failed('counted', { ...holder, generation: '0', owner: 'w9' })).toEqual({ failures: 0, tries: 0 })
    expect(await lane.pendingHash(RUN)).toMatchObject({ leaseOwner: 'w1' })
    expect(await lane.pendingHash(RUN)).not.toHaveProperty('tries')
  })
})

describe('a deferred run', () => {
  test('is free at once', async () => {
    await claim(holder)
    await lane.pending.defer(holder, { failure: 'none' })
    expect(await claim(other)).toMatchObject({ kind: 'granted' })
  })

  test('rests for the grace after an ambiguous end, for its own owner, too, once that has ended', async () => {
    await claim(holder)
    await lane.pending.defer(holder, { failure: 'counted', restMs: 2_000 })
    expect(await claim(other)).toEqual({ kind: 'leased', remainingMs: 2_000 })
    lane.advanceMs(2_000)
    expect(await claim(other)).toMatchObject({ kind: 'granted' })
  })

  test("leaves another owner's lease alone", async () => {
    await claim(holder)
    await lane.pending.defer(other, { failure: 'none' })
    await lane.pending.defer(other, { failure: 'none', restMs: 60_000 })
    expect(await claim(other)).toEqual({ kind: 'leased', remainingMs: leaseMs(lane.policy) })
  })

  test('opens no generation, and keeps what went wrong for the next claim', async () => {
    await claim(holder)
    await lane.pending.defer(holder, { failure: 'counted', trouble: { reason: 'http_503' } })
    expect(await lane.claim(other)).toMatchObject({ trouble: '{"reason":"http_503"}' })
  })
})
