import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { TestLane } from './test-lane.js'

expectNoLeaks()

let server: TestRedis
let redis: Redis
let lane: TestLane

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

beforeEach(async () => {
  lane = new TestLane(redis)
  await lane.throttle.setRate({ max: 1, durationMs: 1_000 })
  for (const runId of ['a', 'b']) await lane.write(runId, { name: runId })
})

afterAll(() => server.close())

test('a turn whose slot is free now comes with the claim', async () => {
  const turn = await lane.askTurn('a')
  expect(turn).toMatchObject({
    kind: 'claimed',
    permit: { waitMs: 0, epoch: 0, probe: '' },
    claim: { entries: [{ path: 'name', value: 'a' }], updates: 1, nowUs: lane.nowUs },
  })
  expect(await lane.pendingHash('a')).toMatchObject({ leaseOwner: 'owner of a' })
  expect(await lane.askTurn('a', 'another')).toMatchObject({ kind: 'leased' })
})

test('a turn that has to wait for its slot leaves the run unclaimed, so that it goes on coalescing', async () => {
  await lane.askTurn('a')
  expect(await lane.askTurn('b')).toMatchObject({ kind: 'granted', permit: { waitMs: 1_020 } })
  expect(await lane.pendingHash('b')).not.toHaveProperty('leaseOwner')
})

test('the turn of a probe leaves the run unclaimed: its API key is read again first', async () => {
  await lane.throttle.report('a', { kind: 'held', reason: 'unauthenticated', message: '' }, await lane.takePermit('a'))
  lane.advanceMs(5_000)
  expect(await lane.askTurn('b')).toMatchObject({ kind: 'granted', permit: { waitMs: 0, probe: '1' } })
  expect(await lane.pendingHash('b')).not.toHaveProperty('leaseOwner')
})

test('a held answer of before counts as a failure of the run once another one was applied', async () => {
  const { permit } = (await lane.askTurn('a')) as { permit: { epoch: number; probe: string } }
  const { generation = '' } = await lane.pendingHash('a')
  await lane.pending.defer({ runId: 'a', generation, owner: 'owner of a' }, { failure: 'held' })
  await lane.applyAnother('c', permit)
  lane.advanceMs(5_000)
  expect(await lane.askTurn('a')).toMatchObject({ kind: 'claimed', claim: { mustBackOff: true, failures: 1 } })
})
