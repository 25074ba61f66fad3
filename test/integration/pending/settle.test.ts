import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Entry } from '../../../src/pending/entry.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { START_US, TestLane } from './test-lane.js'

expectNoLeaks()

const RUN = 'run-1'
const EARLY = BigInt(START_US - 20_000_000)
const LATE = BigInt(START_US - 10_000_000)

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

async function claimed(owner = 'w1'): Promise<readonly Entry[]> {
  const { generation = '' } = await lane.pendingHash(RUN)
  return (await lane.claim({ runId: RUN, generation, owner })).entries
}

describe('settle', () => {
  test('removes what was sent, and records its order, the client key and the outcome', async () => {
    await lane.write(RUN, { name: 'n', clientKey: 'k1' }, { observedAtUs: LATE, tie: 7 })
    const entries = await claimed()
    await lane.pending.settle(RUN, { writes: entries, outcome: { status: 200 }, probe: '' })
    expect(await lane.pendingWrites(RUN)).toEqual({})
    const order = `${LATE} 7 ${entries[0]?.sequence}`
    expect(await lane.sentHash(RUN)).toEqual({
      'applied:name': order,
      'applied:clientKey': order,
      'value:clientKey': '"k1"',
      newestUs: String(LATE + 1n),
      outcome: '{"status":200}',
    })
  })

  test('leaves an entry that has changed, and records what was applied all the same', async () => {
    await lane.write(RUN, { name: 'old' }, { observedAtUs: EARLY })
    const entries = await claimed()
    await lane.write(RUN, { name: 'new' }, { observedAtUs: LATE })
    await lane.settle(RUN, entries)
    expect(await lane.pendingWrites(RUN)).toEqual({ name: 'new' })
    expect((await lane.sentHash(RUN))['applied:name']).toMatch(`${EARLY} `)
  })

  test('is known to a pending update that was opened after its own was deleted by hand', async () => {
    await lane.write(RUN, { name: 'late' }, { observedAtUs: LATE })
    const entries = await claimed()
    await redis.del(lane.lane.pending(RUN))
    await lane.write(RUN, { description: 'early' }, { observedAtUs: EARLY })
    await lane.settle(RUN, entries)
    const merged = await lane.write(RUN, { name: 'between', isPinned: true }, { observedAtUs: LATE - 1n })
    expect(merged.staleFields).toEqual(['name'])
  })

  test('never takes sent back to an older order', async () => {
    await lane.write(RUN, { name: 'old' }, { observedAtUs: EARLY })
    const old = await claimed()
    await lane.write(RUN, { name: 'new' }, { observedAtUs: LATE })
    const fresh = await claimed()
    await lane.settle(RUN, fresh)
    await lane.settle(RUN, old)
    expect((await lane.sentHash(RUN))['applied:name']).toMatch(`${LATE} `)
  })

  test('gives sent its TTL, but for a run that has dead letters', async () => {
    await lane.write(RUN, { name: 'n' })
    await lane.settle(RUN, await claimed())
    expect(await redis.pttl(lane.lane.sent(RUN))).toBeGreaterThan(lane.policy.sentTtlMs - 10_000)
    await lane.pending.keepSent(RUN)
    expect(await redis.pttl(lane.lane.sent(RUN))).toBe(-1)
    await lane.settle(RUN, [])
    expect(await redis.pttl(lane.lane.sent(RUN))).toBe(-1)
  })

  test('keeps the numbers of an observation before 1970 and of one to the microsecond', async () => {
    await lane.write(RUN, { name: 'n' }, { observedAtUs: -1_234_567_890_123_457n })
    await lane.write(RUN, { description: 'd' }, { observedAtUs: 1_234_567_890_123_457n })
    await lane.settle(RUN, await claimed())
    const sent = await lane.sentHash(RUN)
    expect(sent['applied:name']).toMatch('-1234567890123457 ')
    expect(sent['applied:description']).toMatch(/^1234567890123457 /)
  })
})

describe('set aside', () => {
  test('removes what was refused, and tells no order: an older write may come after it', async () => {
    await lane.write(RUN, { name: 'bad' }, { observedAtUs: LATE })
    await lane.pending.setAside(RUN, await claimed(), { reason: 'invalid_argument' })
    expect(await lane.pendingWrites(RUN)).toEqual({})
    expect(await lane.sentHash(RUN)).toEqual({ outcome: '{"reason":"invalid_argument"}' })
    expect(await lane.write(RUN, { name: 'good' }, { observedAtUs: EARLY })).toMatchObject({ status: 'accepted' })
  })

  test('leaves a newer write, and one that was redriven meanwhile', async () => {
    await lane.write(RUN, { name: 'bad', description: 'bad' })
    const entries = await claimed()
    await lane.write(RUN, { name: 'good' })
    await lane.pending.redrive(
      RUN,
      entries.filter(({ path }) => path === 'description'),
    )
    await lane.pending.setAside(RUN, entries, { reason: 'invalid_argument' })
    expect(await lane.pendingWrites(RUN)).toEqual({ name: 'good', description: 'bad' })
  })
})

describe('what was sent, of a run whose last dead letter is gone,', () => {
  const letteredAt = async () => Number(await redis.zscore(lane.lane.lettered, RUN))

  test('has its TTL again', async () => {
    await lane.settle(RUN, [])
    await lane.pending.keepSent(RUN)
    expect(await lane.pending.forgetSent(RUN, await letteredAt())).toBe(true)
    expect(await redis.pttl(lane.lane.sent(RUN))).toBeGreaterThan(0)
    expect(await redis.zcard(lane.lane.lettered)).toBe(0)
  })

  test('is kept where another letter was recorded since the look', async () => {
    await lane.settle(RUN, [])
    await lane.pending.keepSent(RUN)
    const seen = await letteredAt()
    lane.advanceMs(1)
    await lane.pending.keepSent(RUN)
    expect(await lane.pending.forgetSent(RUN, seen)).toBe(false)
    expect(await redis.pttl(lane.lane.sent(RUN))).toBe(-1)
    expect(await redis.zcard(lane.lane.lettered)).toBe(1)
  })
})
