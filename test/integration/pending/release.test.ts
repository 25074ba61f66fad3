import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Holder } from '../../../src/pending/pending-updates.js'
import { leaseMs } from '../../../src/policy.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { FIRST_EPOCH, TestLane } from './test-lane.js'

expectNoLeaks()

const RUN = 'run-1'

let server: TestRedis
let redis: Redis
let lane: TestLane
let holder: Holder

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

beforeEach(async () => {
  lane = new TestLane(redis)
  const { generation } = await lane.write(RUN, { name: 'n' })
  holder = { runId: RUN, generation, owner: 'w1' }
})

afterAll(() => server.close())

const indexed = () => redis.zrange(lane.lane.index, '0', '-1', 'WITHSCORES')

describe('a release', () => {
  test('of a run with nothing left removes it, whatever else a person has put there', async () => {
    await lane.settle(RUN, (await lane.claim(holder)).entries)
    await redis.hset(lane.lane.pending(RUN), { note: 'by hand', 'more:notes': 'by hand', 'stamp:': '' })
    expect(await lane.pending.release(holder, 1)).toEqual({ kind: 'gone' })
    expect(await lane.pendingHash(RUN)).toEqual({})
    expect(await indexed()).toEqual([])
  })

  test('with something left opens one generation, after what is left of its window', async () => {
    const { entries, updates } = await lane.claim(holder)
    lane.advanceMs(100)
    await lane.write(RUN, { name: 'later' })
    lane.advanceMs(100)
    await lane.write(RUN, { description: 'd' })
    lane.advanceMs(300)
    await lane.settle(RUN, entries)
    const released = await lane.pending.release(holder, updates)
    expect(released).toMatchObject({ kind: 'opened', delayMs: 600 })
    const { generation } = await lane.pendingHash(RUN)
    expect(released).toMatchObject({ generation })
    expect(generation).not.toBe(holder.generation)
    expect(await indexed()).toEqual([RUN, String(lane.nowUs / 1000)])
    expect(await lane.claim({ ...holder, generation: generation ?? '' })).toMatchObject({
      updates: 2,
      openedUs: lane.nowUs,
    })
  })

  test('waits no window again for a write that came before it was over, and never longer than one', async () => {
    await lane.claim(holder)
    lane.advanceMs(5_000)
    expect(await lane.pending.release(holder, 1)).toMatchObject({ kind: 'opened', delayMs: 0 })
    lane.advanceMs(-3_600_000)
    const { generation = '' } = await lane.pendingHash(RUN)
    expect(await lane.pending.release({ ...holder, generation }, 0)).toMatchObject({ kind: 'opened', delayMs: 1_000 })
  })

  test('with nothing dealt with can be repeated for as long as it takes', async () => {
    for (let i = 0; i < 3; i++) {
      const { generation = '' } = await lane.pendingHash(RUN)
      const { updates } = await lane.claim({ ...holder, generation })
      expect(await lane.pending.release({ ...holder, generation }, updates)).toMatchObject({ kind: 'opened' })
    }
  })

  test('starts the count of failures anew, and gives up the lease', async () => {
    await lane.claim(holder)
    await lane.applyAnother('fine')
    await lane.pending.defer(holder, { failure: 'counted', trouble: { reason: 'http_503' } })
    await lane.pending.defer(holder, { failure: 'held' })
    await lane.claim(holder)
    await lane.pending.release(holder, 1)
    expect(Object.keys(await lane.pendingHash(RUN)).sort()).toEqual([
      'generation',
      'newestUs',
      'openedUs',
      'stamp:name',
      'updates',
      'value:name',
    ])
  })

  test('of an old generation drops its own lease and does nothing else', async () => {
    await lane.claim(holder)
    const reopened = (await lane.pending.reopen(RUN, holder.generation)) ?? ''
    expect(await lane.pending.release(holder, 1)).toEqual({ kind: 'superseded' })
    expect(await lane.pending.claim({ ...holder, generation: reopened, owner: 'w2' }, FIRST_EPOCH)).toMatchObject({
      kind: 'granted',
    })
  })

  test("while another owner's lease is live does nothing", async () => {
    await lane.claim(holder)
    lane.advanceMs(leaseMs(lane.policy))
    await lane.claim({ ...holder, owner: 'w2' })
    const before = await lane.pendingHash(RUN)
    expect(await lane.pending.release(holder, 1)).toEqual({ kind: 'leased' })
    expect(await lane.pendingHash(RUN)).toEqual(before)
  })
})

describe('a reopened run', () => {
  test('has a new generation, and keeps its lease, its failures and the time of its opening', async () => {
    await lane.claim(holder)
    const before = await lane.pendingHash(RUN)
    const index = await indexed()
    lane.advanceMs(60_000)
    const generation = await lane.pending.reopen(RUN, holder.generation)
    expect(Number(generation)).toBeGreaterThan(Number(holder.generation))
    expect(await lane.pendingHash(RUN)).toEqual({ ...before, generation })
    expect(await indexed()).toEqual(index)
  })

  test('stays as it is where its generation is another one by now', async () => {
    const before = await lane.pendingHash(RUN)
    expect(await lane.pending.reopen(RUN, '0')).toBeNull()
    expect(await lane.pending.reopen(RUN, null)).toBeNull()
    expect(await lane.pendingHash(RUN)).toEqual(before)
  })

  test('leaves the index where nothing is pending', async () => {
    await redis.del(lane.lane.pending(RUN))
    expect(await lane.pending.reopen(RUN, null)).toBeNull()
    expect(await indexed()).toEqual([])
  })
})
