import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { leaseMs } from '../../../src/policy.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { TestLane } from '../pending/test-lane.js'

expectNoLeaks()

const HOUR_MS = 3_600_000
const REFUSAL = { kind: 'throttled', reason: 'rate_limited', message: 'slow down' } as const
const TROUBLE = { kind: 'transient', reason: 'http_503', message: 'unavailable' } as const
const UNSPENT = { kind: 'unspent', reason: '', message: '' } as const

let server: TestRedis
let redis: Redis
let lane: TestLane

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

beforeEach(async () => {
  lane = new TestLane(redis)
  for (const runId of ['a', 'b', 'c']) await lane.write(runId, { name: 'n' })
})

afterAll(() => server.close())

describe('an open lane', () => {
  test('gives out slots two percent further apart than an even share, first come, first served', async () => {
    await lane.throttle.setRate({ max: 50, durationMs: 1000 })
    const permits = [await lane.takePermit('a'), await lane.takePermit('b'), await lane.takePermit('c')]
    expect(permits.map(({ waitMs }) => waitMs)).toEqual([0, 20.4, 40.8])
  })

  test('saves up no slots while nobody asks', async () => {
    await lane.throttle.setRate({ max: 50, durationMs: 1000 })
    await lane.takePermit('a')
    lane.advanceMs(10_000)
    expect((await lane.takePermit('a')).waitMs).toBe(0)
    expect((await lane.takePermit('b')).waitMs).toBe(20.4)
  })

  test('gives no slot to a superseded job', async () => {
    await lane.throttle.setRate({ max: 1, durationMs: 1000 })
    const asker = { runId: 'a', generation: '0', owner: 'w1' }
    expect(await lane.pending.takeTurn(asker)).toEqual({ kind: 'superseded' })
    expect((await lane.takePermit('a')).waitMs).toBe(0)
  })

  test('gives no slot to a run that another owner holds, and tells for how long', async () => {
    await lane.throttle.setRate({ max: 1, durationMs: 1000 })
    const generation = (await lane.pendingHash('a')).generation ?? ''
    await lane.claim({ runId: 'a', generation, owner: 'w1' })
    lane.advanceMs(1_000)
    expect(await lane.askTurn('a', 'w2')).toEqual({ kind: 'leased', remainingMs: leaseMs(lane.policy) - 1_000 })
    expect((await lane.takePermit('a', 'w1')).waitMs).toBe(0)
  })

  test('gives no slot before it has a rate, as after a Redis that has lost it', async () => {
    const generation = (await lane.pendingHash('a')).generation ?? ''
    expect(await lane.pending.takeTurn({ runId: 'a', generation, owner: 'w1' })).toEqual({ kind: 'no_rate' })
    await lane.throttle.setRate({ max: 50, durationMs: 1000 })
    await lane.takePermit('a')
    expect((await lane.takePermit('b')).waitMs).toBe(20.4)
  })

  test('tells another rate that was set before, and not the same', async () => {
    expect(await lane.throttle.setRate({ max: 50, durationMs: 1000 })).toBeNull()
    expect(await lane.throttle.setRate({ max: 50, durationMs: 1000 })).toBeNull()
    expect(await lane.throttle.setRate({ max: 10, durationMs: 1000 })).toBe('50 in 1000 ms')
    expect(await lane.throttle.read()).toMatchObject({ rate: '10 in 1000 ms', spacingMs: 102 })
  })

  test('keeps its queue of slots as long as it was where the clock is set back an hour', async () => {
    await lane.throttle.setRate({ max: 1, durationMs: 1000 })
    await lane.takePermit('a')
    await lane.takePermit('a')
    lane.advanceMs(-HOUR_MS)
    expect((await lane.takePermit('a')).waitMs).toBe(2 * 1020)
  })
})

describe('a held lane', () => {
  test('gives out no permit until the hold is over, and then the probe alone', async () => {
    await lane.throttle.report('a', { ...REFUSAL, waitMs: 3_000 }, await lane.takePermit('a'))
    expect(await lane.askTurn('b')).toEqual({ kind: 'held', remainingMs: 3_000, reason: 'rate_limited' })
    lane.advanceMs(2_999)
    expect(await lane.askTurn('b')).toMatchObject({ kind: 'held', remainingMs: 1 })
    lane.advanceMs(1)
    expect(await lane.takePermit('b')).toMatchObject({ probe: '1', heldReason: 'rate_limited', epoch: 1 })
    expect(await lane.askTurn('c')).toEqual({ kind: 'held', remainingMs: 15_000, reason: 'rate_limited' })
  })

  test('voids the slots given out before', async () => {
    const before = await lane.takePermit('b')
    await lane.throttle.report('a', REFUSAL, await lane.takePermit('a'))
    const generation = (await lane.pendingHash('b')).generation ?? ''
    const holder = { runId: 'b', generation, owner: 'w1' }
    expect(await lane.pending.claim(holder, before)).toMatchObject({ kind: 'held', reason: 'rate_limited' })
    await lane.throttle.open()
    expect(await lane.pending.claim(holder, before)).toEqual({ kind: 'void' })
  })

  test('gives the voided slots out again, but never two within one spacing', async () => {
    await lane.throttle.setRate({ max: 1, durationMs: 1000 })
    const permit = await lane.takePermit('a')
    for (let i = 0; i < 20; i++) await lane.takePermit('b')
    await lane.throttle.report('a', REFUSAL, permit)
    await lane.throttle.open()
    expect((await lane.takePermit('a')).waitMs).toBe(1020)
  })

  test('is read as ending when it did where the clock is set back an hour', async () => {
    await lane.throttle.report('a', REFUSAL, await lane.takePermit('a'))
    lane.advanceMs(-HOUR_MS)
    expect(await lane.askTurn('b')).toMatchObject({ kind: 'held', remainingMs: 1_000 })
    lane.advanceMs(1_000)
    expect(await lane.takePermit('b')).toMatchObject({ probe: '1' })
  })

  test('is read as the longest hold where its end was written further ahead than that', async () => {
    await lane.throttle.report('a', REFUSAL, await lane.takePermit('a'))
    await redis.hset(lane.lane.throttle, 'untilUs', lane.nowUs + 1000 * 1000 * HOUR_MS)
    expect(await lane.throttle.read()).toMatchObject({ remainingMs: lane.policy.maxHoldMs })
    await redis.hset(lane.lane.throttle, 'untilUs', lane.nowUs + 1000 * 1000 * HOUR_MS)
    expect(await lane.askTurn('b')).toMatchObject({ kind: 'held', remainingMs: lane.policy.maxHoldMs })
    lane.advanceMs(lane.policy.maxHoldMs)
    expect(await lane.takePermit('b')).toMatchObject({ probe: '1' })
  })
})

describe('a probe', () => {
  beforeEach(async () => {
    await lane.throttle.report('a', REFUSAL, await lane.takePermit('a'))
    lane.advanceMs(1_000)
  })

  test('is for another run than the one that closed the lane', async () => {
    expect(await lane.askTurn('a')).toEqual({ kind: 'held', remainingMs: 1_000, reason: 'rate_limited' })
    expect(await lane.takePermit('b')).toMatchObject({ probe: '1' })
  })

  test('is for the same run again where no other has asked within a second', async () => {
    lane.advanceMs(999)
    expect(await lane.askTurn('a')).toMatchObject({ kind: 'held', remainingMs: 1 })
    lane.advanceMs(1)
    expect(await lane.takePermit('a')).toMatchObject({ probe: '1' })
  })

  test('is for another run than the last probe, after each that failed', async () => {
    await lane.throttle.report('b', REFUSAL, await lane.takePermit('b'))
    lane.advanceMs(2_000)
    expect(await lane.askTurn('b')).toMatchObject({ kind: 'held', remainingMs: 1_000 })
    expect(await lane.takePermit('a')).toMatchObject({ probe: '2' })
  })

  test('that sent nothing is given back: the next may go at once, even of the same run', async () => {
    const permit = await lane.takePermit('b')
    await lane.throttle.report('b', UNSPENT, permit)
    expect(await lane.askTurn('a')).toMatchObject({ kind: 'held', remainingMs: 1_000 })
    expect(await lane.takePermit('b')).toMatchObject({ probe: '2' })
    await lane.throttle.report('b', UNSPENT, permit)
    expect(await lane.askTurn('c')).toMatchObject({ kind: 'held', remainingMs: 15_000 })
  })

  test('that was given back leaves a longer hold, told meanwhile, as it is', async () => {
    const permit = await lane.takePermit('b')
    await lane.throttle.report('c', { ...REFUSAL, waitMs: 30_000 }, { epoch: 0, probe: '' })
    await lane.throttle.report('b', UNSPENT, permit)
    expect(await lane.askTurn('c')).toMatchObject({ kind: 'held', remainingMs: 30_000 })
  })

  test('that waits for its slot lasts as long as one that need not', async () => {
    await lane.throttle.open()
    await lane.throttle.setRate({ max: 1, durationMs: 3_000 })
    await lane.throttle.report('a', REFUSAL, await lane.takePermit('a'))
    lane.advanceMs(1_000)
    expect(await lane.takePermit('b')).toMatchObject({ probe: '1', waitMs: 2_060 })
    expect(await lane.askTurn('c')).toMatchObject({ kind: 'held', remainingMs: 2_060 + 15_000 })
  })

  test('that expired is over, and what comes of it late changes nothing', async () => {
    const lost = await lane.takePermit('b')
    lane.advanceMs(15_000)
    const next = await lane.takePermit('c')
    expect(next.probe).toBe('2')
    const generation = (await lane.pendingHash('b')).generation ?? ''
    expect(await lane.pending.claim({ runId: 'b', generation, owner: 'w1' }, lost)).toMatchObject({ kind: 'held' })
    await lane.throttle.report('b', TROUBLE, lost)
    await lane.settle('b', [], lost.probe)
    expect(await lane.throttle.read()).toMatchObject({ state: 'held', isProbing: true })
    await lane.settle('c', [], next.probe)
    expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
  })

  test('that expired is told as a hold that is over: the next probe is due', async () => {
    await lane.takePermit('b')
    lane.advanceMs(14_999)
    expect(await lane.throttle.read()).toMatchObject({ isProbing: true, remainingMs: 1 })
    lane.advanceMs(1)
    expect(await lane.throttle.read()).toMatchObject({ state: 'held', isProbing: false, remainingMs: 0 })
  })

  test('alone may be claimed with while it lasts', async () => {
    const permit = await lane.takePermit('b')
    const generation = (await lane.pendingHash('b')).generation ?? ''
    const holder = { runId: 'b', generation, owner: 'w1' }
    const other = { ...permit, probe: '' }
    expect(await lane.pending.claim(holder, other)).toEqual({
      kind: 'held',
      remainingMs: 15_000,
      reason: 'rate_limited',
    })
    expect(await lane.pending.claim(holder, permit)).toMatchObject({ kind: 'granted' })
  })

  test('opens the lane by its success', async () => {
    const permit = await lane.takePermit('b')
    await lane.applyAnother('b', permit)
    expect(await lane.throttle.read()).toMatchObject({ state: 'open', reason: null, untilMs: null })
    expect(await lane.takePermit('c')).toMatchObject({ probe: '', heldReason: '', epoch: 1 })
  })

  test('opens the lane by any answer of Sift that is no trouble of the lane', async () => {
    const answer = { kind: 'permanent', reason: 'invalid_argument', message: 'no' } as const
    await lane.throttle.report('b', answer, await lane.takePermit('b'))
    expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
  })

  test('holds longer by each failure, from a second to a minute', async () => {
    const pauses: (number | null)[] = []
    for (let i = 0; i < 8; i++) {
      const runId = i % 2 === 0 ? 'b' : 'c'
      await lane.throttle.report(runId, TROUBLE, await lane.takePermit(runId))
      const { remainingMs } = await lane.throttle.read()
      pauses.push(remainingMs)
      lane.advanceMs(remainingMs ?? 0)
    }
    expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  test('that failed leaves a longer hold, told meanwhile, as it is', async () => {
    const permit = await lane.takePermit('b')
    await lane.throttle.report('c', { ...REFUSAL, waitMs: 30_000 }, { epoch: 0, probe: '' })
    await lane.throttle.report('b', TROUBLE, permit)
    expect(await lane.throttle.read()).toMatchObject({ remainingMs: 30_000 })
  })

  test('that failed has used up its permit, also where an operator then opens the lane', async () => {
    const permit = await lane.takePermit('b')
    await lane.throttle.report('b', TROUBLE, permit)
    await lane.throttle.open()
    const generation = (await lane.pendingHash('b')).generation ?? ''
    expect(await lane.pending.claim({ runId: 'b', generation, owner: 'w1' }, permit)).toEqual({ kind: 'void' })
  })

  test('that failed holds at least as long as the server asked', async () => {
    await lane.throttle.report('b', { ...REFUSAL, waitMs: 40_000 }, await lane.takePermit('b'))
    expect(await lane.throttle.read()).toMatchObject({ remainingMs: 40_000 })
  })
})
