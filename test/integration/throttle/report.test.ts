import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Report } from '../../../src/throttle/throttle.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { FIRST_EPOCH, TestLane } from '../pending/test-lane.js'

expectNoLeaks()

const THROTTLED = { kind: 'throttled', reason: 'rate_limited', message: 'slow down' } as const
const UNAUTHENTICATED = { kind: 'held', reason: 'unauthenticated', message: 'no such key' } as const
const TROUBLE = { kind: 'transient', reason: 'http_503', message: 'unavailable' } as const
const REFUSED = { kind: 'permanent', reason: 'invalid_argument', message: 'no' } as const

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

function report(answer: Report, runId = 'a', permit = FIRST_EPOCH) {
  return lane.throttle.report(runId, answer, permit)
}

describe('a 429', () => {
  test('without a wait holds the lane for a second', async () => {
    await report(THROTTLED)
    expect(await lane.throttle.read()).toMatchObject({
      state: 'held',
      reason: 'rate_limited',
      detail: 'slow down',
      sinceMs: lane.nowUs / 1000,
      untilMs: lane.nowUs / 1000 + 1_000,
    })
  })

  test('with a wait holds the lane for as long', async () => {
    await report({ ...THROTTLED, waitMs: 42_000 })
    expect(await lane.throttle.read()).toMatchObject({ remainingMs: 42_000 })
  })

  test('with an endless wait holds it for the longest hold', async () => {
    await report({ ...THROTTLED, waitMs: 1e9 })
    lane.advanceMs(60_000)
    expect(await lane.throttle.read()).toMatchObject({ remainingMs: lane.policy.maxHoldMs - 60_000 })
  })

  test('while the lane is held makes the hold longer, never shorter', async () => {
    await report({ ...THROTTLED, waitMs: 10_000 })
    await report({ ...THROTTLED, waitMs: 5_000 }, 'b')
    await report(THROTTLED, 'b')
    expect(await lane.throttle.read()).toMatchObject({ remainingMs: 10_000 })
    await report({ ...THROTTLED, waitMs: 20_000 }, 'b')
    expect(await lane.throttle.read()).toMatchObject({ remainingMs: 20_000 })
  })

  test('to a permit of before the last hold does not close a lane that a probe has opened', async () => {
    await report(THROTTLED)
    await lane.throttle.open()
    await report(THROTTLED, 'b', FIRST_EPOCH)
    await report(UNAUTHENTICATED, 'b', FIRST_EPOCH)
    expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
    await report(THROTTLED, 'b', { epoch: 1, probe: '' })
    expect(await lane.throttle.read()).toMatchObject({ state: 'held' })
  })

  test('that states a wait is believed, whatever its permit', async () => {
    await report(THROTTLED)
    await lane.throttle.open()
    await report({ ...THROTTLED, waitMs: 30_000 }, 'b', FIRST_EPOCH)
    expect(await lane.throttle.read()).toMatchObject({ state: 'held', remainingMs: 30_000 })
  })
})

test('a held answer holds the lane with its reason and message', async () => {
  await report(UNAUTHENTICATED)
  expect(await lane.throttle.read()).toMatchObject({
    state: 'held',
    reason: 'unauthenticated',
    detail: 'no such key',
    remainingMs: 1_000,
  })
})

test('each change of the lane is announced', async () => {
  const subscriber = server.client()
  const told: string[] = []
  const three = new Promise<void>((resolve) => {
    subscriber.on('message', (_channel, state) => {
      if (told.push(state) === 3) resolve()
    })
  })
  await subscriber.subscribe(lane.lane.announcements)
  await report(THROTTLED)
  await lane.throttle.open()
  await lane.throttle.hold('by hand')
  await three
  expect(told).toEqual(['held', 'open', 'held'])
})

describe('an outage', () => {
  const failures = async (count: number, runs: number, permit = FIRST_EPOCH) => {
    for (let i = 0; i < count; i++) await report(TROUBLE, `run-${i % runs}`, permit)
  }

  test('is ten transient failures in a row, over at least three runs', async () => {
    await failures(9, 3)
    expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
    await failures(1, 3)
    expect(await lane.throttle.read()).toMatchObject({ state: 'held', reason: 'outage', remainingMs: 1_000 })
  })

  test('is not a hundred failures of two runs, but of the third that then fails', async () => {
    await failures(100, 2)
    expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
    await report(TROUBLE, 'run-2')
    expect(await lane.throttle.read()).toMatchObject({ reason: 'outage' })
  })

  test.each([
    { what: 'success', end: () => lane.settle('fine', []) },
    { what: 'refusal', end: () => report(REFUSED) },
    {
      what: 'answer that says nothing of other runs',
      end: () => report({ kind: 'answered', reason: '', message: '' }),
    },
  ])('is no row with a $what in between', async ({ end }) => {
    await failures(9, 3)
    await end()
    await failures(9, 3)
    expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
  })

  test('takes no count of failures with permits of before the last hold', async () => {
    await lane.throttle.hold('by hand')
    await lane.throttle.open()
    await failures(20, 5, FIRST_EPOCH)
    expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
    await failures(10, 5, { epoch: 1, probe: '' })
    expect(await lane.throttle.read()).toMatchObject({ state: 'held' })
  })

  test('keeps the reason of the hold where a probe fails without one', async () => {
    await report(UNAUTHENTICATED)
    await lane.write('b', { name: 'n' })
    lane.advanceMs(1_000)
    await report(TROUBLE, 'b', await lane.takePermit('b'))
    expect(await lane.throttle.read()).toMatchObject({ reason: 'unauthenticated', detail: 'unavailable' })
  })
})

describe('an operator', () => {
  test('closes the lane until an operator opens it', async () => {
    await lane.write('a', { name: 'n' })
    await lane.throttle.hold('maintenance')
    lane.advanceMs(1e9)
    expect(await lane.throttle.read()).toMatchObject({
      state: 'held',
      reason: 'operator',
      detail: 'maintenance',
      untilMs: null,
      remainingMs: null,
    })
    expect(await lane.askTurn('a')).toEqual({ kind: 'held', remainingMs: null, reason: 'operator' })
    const { generation = '' } = await lane.pendingHash('a')
    const claim = lane.pending.claim({ runId: 'a', generation, owner: 'w1' }, FIRST_EPOCH)
    expect(await claim).toEqual({ kind: 'held', remainingMs: null, reason: 'operator' })
    expect(await lane.throttle.open()).toEqual({ wasClosed: true })
    expect(await lane.throttle.open()).toEqual({ wasClosed: false })
    expect(await lane.takePermit('a')).toMatchObject({ waitMs: 0, probe: '' })
  })

  test("is not overruled by a server's wait, nor by a probe that was on its way", async () => {
    await lane.write('b', { name: 'n' })
    await report(THROTTLED)
    lane.advanceMs(1_000)
    const permit = await lane.takePermit('b')
    await lane.throttle.hold('maintenance')
    await report({ ...THROTTLED, waitMs: 1_000 }, 'c')
    await lane.settle('b', [], permit.probe)
    expect(await lane.throttle.read()).toMatchObject({ reason: 'operator', untilMs: null })
  })
})
