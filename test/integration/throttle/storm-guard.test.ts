import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { FIRST_EPOCH, TestLane } from '../pending/test-lane.js'

expectNoLeaks()

const NOT_FOUND = { kind: 'permanent', reason: 'run_not_found', message: 'no such run' } as const

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

/** Whether each letter may be recorded. */
async function record(from: number, to: number, reason = 'run_not_found'): Promise<boolean[]> {
  const allowed: boolean[] = []
  for (let i = from; i < to; i++) allowed.push(await lane.throttle.mayRecord(`run-${i}`, reason, 'no such run'))
  return allowed
}

const stateNow = async () => (await lane.throttle.read()).state

test('twenty dead letters in a row, of as many runs, for one reason, hold the lane; further ones stay pending', async () => {
  expect(await record(0, 19)).not.toContain(false)
  expect(await stateNow()).toBe('open')
  expect(await record(19, 20)).toEqual([true])
  expect(await lane.throttle.read()).toMatchObject({
    state: 'held',
    reason: 'storm:run_not_found',
    detail: 'no such run',
  })
  expect(await record(20, 22)).toEqual([false, false])
  expect(await lane.throttle.report('run-22', NOT_FOUND, FIRST_EPOCH)).toEqual({ isStorm: true })
})

test('a run counts once, also where its id ends like that of another', async () => {
  for (let i = 0; i < 30; i++) await lane.throttle.mayRecord('run-1', 'run_not_found', '')
  await record(0, 19)
  expect(await stateNow()).toBe('open')
  await lane.throttle.mayRecord('1', 'run_not_found', '')
  expect(await stateNow()).toBe('held')
})

test('a success ends the row', async () => {
  await record(0, 19)
  await lane.settle('fine', [])
  await record(19, 38)
  expect(await stateNow()).toBe('open')
})

test('a letter for another reason ends the row', async () => {
  await record(0, 19)
  await record(19, 20, 'permission_denied')
  await record(20, 39)
  expect(await stateNow()).toBe('open')
})

test('letters for another reason may be recorded in a storm', async () => {
  await record(0, 20)
  expect(await record(20, 21, 'permission_denied')).toEqual([true])
})

test('a probe that is refused for the same reason stays pending, and holds longer', async () => {
  await record(0, 20)
  await lane.write('next', { name: 'n' })
  lane.advanceMs(1_000)
  const permit = await lane.takePermit('next')
  expect(await lane.throttle.report('next', NOT_FOUND, permit)).toEqual({ isStorm: true })
  expect(await lane.throttle.read()).toMatchObject({
    reason: 'storm:run_not_found',
    remainingMs: 2_000,
    isProbing: false,
  })
})

test('a probe that is refused for another reason ends the storm', async () => {
  await record(0, 20)
  await lane.write('next', { name: 'n' })
  lane.advanceMs(1_000)
  const answer = { kind: 'permanent', reason: 'invalid_argument', message: 'no' } as const
  expect(await lane.throttle.report('next', answer, await lane.takePermit('next'))).toEqual({ isStorm: false })
  expect(await stateNow()).toBe('open')
})

test('an operator who accepts the reason lets them be recorded for an hour, also between runs that are applied', async () => {
  await record(0, 20)
  await lane.throttle.open('run_not_found')
  expect(await record(20, 60)).not.toContain(false)
  expect(await stateNow()).toBe('open')
  await record(60, 79, 'permission_denied')
  expect(await stateNow()).toBe('open')
  await record(79, 80, 'permission_denied')
  expect(await stateNow()).toBe('held')
  await lane.throttle.open('run_not_found')
  await lane.settle('fine', [])
  await record(80, 100)
  expect(await stateNow()).toBe('open')
  lane.throttle.nowUs = Date.now() * 1_000 + 3_601_000_000
  await record(100, 120)
  expect(await stateNow()).toBe('held')
})

test('what an operator accepts while the lane is open lasts an hour, also where the clock is set back', async () => {
  lane.nowUs += 10_000_000_000
  await lane.throttle.open('run_not_found')
  lane.advanceMs(-7_200_000)
  await record(0, 20)
  expect(await stateNow()).toBe('open')
  lane.advanceMs(3_601_000)
  await record(20, 40)
  expect(await stateNow()).toBe('held')
})

test('opened without that, the next twenty are a storm again', async () => {
  await record(0, 20)
  await lane.throttle.open()
  await record(20, 39)
  expect(await stateNow()).toBe('open')
  await record(39, 40)
  expect(await stateNow()).toBe('held')
})

test('an operator who opens the lane, whatever held it, starts the row anew', async () => {
  await record(0, 19)
  await lane.throttle.hold('maintenance')
  await lane.throttle.open()
  await record(19, 38)
  expect(await stateNow()).toBe('open')
})
