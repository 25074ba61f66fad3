import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadMerge, mergeUpdates } from '../../../src/pending/merge.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { START_US, TestLane } from './test-lane.js'

expectNoLeaks()

const MINUTE_US = 60_000_000

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

describe('a merge', () => {
  test('opens a generation, counts its updates, and puts the run in the index', async () => {
    const first = await lane.write('run-1', { name: 'a' }, { source: 'ingest' })
    lane.advanceMs(10)
    const second = await lane.write('run-1', { description: 'd' }, { observedAtUs: BigInt(START_US - 5), tie: 3 })
    expect([first.addJob, second.addJob]).toEqual([true, false])
    expect(second.generation).toBe(first.generation)
    expect(await lane.pendingHash('run-1')).toEqual({
      generation: '2',
      openedUs: String(START_US),
      updates: '2',
      newestUs: String(START_US),
      'stamp:name': `${START_US} 0 1 ${START_US} 0 ingest`,
      'value:name': '"a"',
      'stamp:description': `${START_US - 5} 3 3 ${START_US + 10_000} 0 `,
      'value:description': '"d"',
    })
    expect(await redis.zrange(lane.lane.index, '0', '-1', 'WITHSCORES')).toEqual(['run-1', String(START_US / 1000)])
  })

  test('gives each write the stamp that it tells', async () => {
    const merged = await lane.merge([
      { runId: 'a', writes: { name: '1' }, source: 'ingest' },
      { runId: 'b', writes: { name: '2' }, observedAtUs: BigInt(START_US - 7), tie: 4 },
      { runId: 'a', writes: { description: '3' } },
    ])
    const [a, b] = await Promise.all(['a', 'b'].map((runId) => lane.pendingHash(runId)))
    expect(merged.map(({ stamp }) => stamp)).toEqual([a?.['stamp:name'], b?.['stamp:name'], a?.['stamp:description']])
  })

  test('at the mark of a run is the newest, but for a write with a tie at the same microsecond', async () => {
    const observedAtUs = BigInt(START_US - 1_000)
    await lane.write('run-1', { name: 'first' }, { observedAtUs })
    await lane.write('run-1', { name: 'second' }, { observedAtUs })
    expect(await lane.pendingWrites('run-1')).toEqual({ name: 'second' })
    await lane.write('run-1', { name: 'tied' }, { observedAtUs, tie: 2 })
    const late = await lane.write('run-1', { name: 'late', description: 'd' }, { observedAtUs })
    expect(late.staleFields).toEqual(['name'])
    expect(await lane.pendingWrites('run-1')).toEqual({ name: 'tied', description: 'd' })
  })

  test('looks at every field where the mark was edited away', async () => {
    await lane.write('run-1', { name: 'new' }, { observedAtUs: BigInt(START_US - 1) })
    await redis.hdel(lane.lane.pending('run-1'), 'newestUs')
    await lane.write('run-1', { description: 'd' }, { observedAtUs: BigInt(START_US - 3) })
    const [merged] = await lane.merge([{ runId: 'run-1', writes: { name: 'old' }, observedAtUs: BigInt(START_US - 2) }])
    expect(merged?.status).toBe('stale')
    expect(await lane.pendingWrites('run-1')).toEqual({ name: 'new', description: 'd' })
  })

  test('takes a batch of runs, each with a generation of its own', async () => {
    const merged = await lane.merge([
      { runId: 'a', writes: { name: '1' } },
      { runId: 'b', writes: { name: '2' } },
      { runId: 'a', writes: { name: '3' } },
    ])
    expect(merged.map(({ addJob }) => addJob)).toEqual([true, true, false])
    expect(new Set(merged.map(({ generation }) => generation)).size).toBe(2)
    expect(await lane.pendingWrites('a')).toEqual({ name: '3' })
    expect(await lane.pendingWrites('b')).toEqual({ name: '2' })
  })

  test('goes by the clock of Redis where no time is handed in', async () => {
    const [seconds] = await redis.time()
    const reply = await mergeUpdates(redis, lane.lane, lane.policy, [{ runId: 'a', writes: { name: 'n' } }])
    if (reply.kind !== 'merged') throw new Error(`the merge came ${reply.kind}`)
    expect(reply.nowUs / 1e6 - Number(seconds)).toBeLessThan(60)
    expect(reply.nowUs / 1e6 - Number(seconds)).toBeGreaterThanOrEqual(0)
  })

  test('merges nothing where Redis has forgotten its scripts, and tells that', async () => {
    await redis.script('FLUSH')
    const update = { runId: 'a', writes: { name: 'n' } }
    expect(await mergeUpdates(redis, lane.lane, lane.policy, [update])).toEqual({ kind: 'not_loaded' })
    expect(await lane.pendingHash('a')).toEqual({})
    await loadMerge(redis)
    expect(await mergeUpdates(redis, lane.lane, lane.policy, [update])).toMatchObject({ kind: 'merged' })
  })

  test('that comes too late merges nothing, and tells the time', async () => {
    const update = { runId: 'a', writes: { name: 'n' } }
    const at = (notAfterUs: number) =>
      mergeUpdates(redis, lane.lane, lane.policy, [update], { nowUs: START_US, notAfterUs })
    expect(await at(START_US - 1)).toEqual({ kind: 'too_late', nowUs: START_US })
    expect(await lane.pendingHash('a')).toEqual({})
    expect(await at(START_US)).toMatchObject({ kind: 'merged' })
  })

  test('refuses an observation more than five minutes ahead, and takes one of five', async () => {
    const at = async (aheadUs: number) => {
      const [merged] = await lane.merge([
        { runId: 'a', writes: { name: 'n' }, observedAtUs: BigInt(START_US + aheadUs) },
      ])
      return merged?.status
    }
    expect(await at(5 * MINUTE_US + 1)).toBe('observed_in_future')
    expect(await lane.pendingHash('a')).toEqual({})
    expect(await at(5 * MINUTE_US)).toBe('accepted')
  })

  test('measures that against the clock of Redis, also where arrival times run ahead of it', async () => {
    await lane.write('a', { name: 'n' })
    lane.advanceMs(-60_000)
    const [merged] = await lane.merge([
      { runId: 'a', writes: { name: 'm' }, observedAtUs: BigInt(START_US + 4.5 * MINUTE_US) },
    ])
    expect(merged).toMatchObject({ status: 'observed_in_future', generation: null, stamp: '' })
  })

  test('tells how far arrival times run ahead of a clock that was set back', async () => {
    await lane.write('a', { name: 'n' })
    const options = { nowUs: START_US - 6_000_000 }
    const update = { runId: 'a', writes: { name: 'later' } }
    expect(await mergeUpdates(redis, lane.lane, lane.policy, [update], options)).toMatchObject({ clockAheadMs: 6_000 })
    expect(await lane.pendingWrites('a')).toEqual({ name: 'later' })
  })
})

describe('a lane that is full', () => {
  test('takes no new run, and what comes for those that it has', async () => {
    await lane.write('a', { name: 'n' })
    const merged = await lane.merge(
      [
        { runId: 'b', writes: { name: 'n' } },
        { runId: 'a', writes: { name: 'm' } },
      ],
      { maxPendingRuns: 1 },
    )
    expect(merged.map(({ status }) => status)).toEqual(['overloaded', 'accepted'])
    expect(await lane.pendingHash('b')).toEqual({})
  })

  test('is one whose Redis is short of memory', async () => {
    const [merged] = await lane.merge([{ runId: 'a', writes: { name: 'n' } }], { memoryIsShort: true })
    expect(merged).toMatchObject({ status: 'overloaded', generation: null, addJob: false })
  })
})

describe('what a person has put in place of a pending update', () => {
  test('costs its run only, not the batch', async () => {
    await redis.set(lane.lane.pending('a'), 'no hash')
    await redis.hset(lane.lane.pending('b'), 'updates', 'many')
    const merged = await lane.merge([
      { runId: 'a', writes: { name: 'n' } },
      { runId: 'b', writes: { name: 'n' } },
      { runId: 'c', writes: { name: 'n' } },
    ])
    expect(merged.map(({ status }) => status)).toEqual(['unreadable', 'accepted', 'accepted'])
  })

  test('is looked at where the generation was taken out of what a late observation had opened', async () => {
    const secondsLater = (seconds: number) => ({ observedAtUs: BigInt(lane.nowUs + seconds * 1_000_000) })
    const { generation } = await lane.write('a', { name: 'n' }, secondsLater(-2))
    const { entries, updates } = await lane.claim({ runId: 'a', generation, owner: 'w1' })
    await lane.settle('a', entries)
    await lane.pending.release({ runId: 'a', generation, owner: 'w1' }, updates)
    await lane.write('a', { description: 'late' }, secondsLater(-5))
    await lane.write('a', { description: 'newest' }, secondsLater(-1))
    await redis.hdel(lane.lane.pending('a'), 'generation', 'newestUs')
    const [older] = await lane.merge([{ runId: 'a', writes: { description: 'older' }, ...secondsLater(-1.5) }])
    expect(older).toMatchObject({ status: 'stale' })
    expect(await lane.pendingWrites('a')).toEqual({ description: 'newest' })
  })

  test('is written over where it is an order that cannot be read', async () => {
    await lane.write('a', { name: 'n' })
    await redis.hset(lane.lane.pending('a'), 'stamp:name', 'tomorrow')
    expect(await lane.write('a', { name: 'm' })).toMatchObject({ status: 'accepted', staleFields: [] })
    expect(await lane.pendingWrites('a')).toEqual({ name: 'm' })
  })
})

test('a client key in conflict tells the key that holds the place, pending or sent', async () => {
  const { generation } = await lane.write('a', { clientKey: 'k1' })
  const conflict = async () => (await lane.merge([{ runId: 'a', writes: { clientKey: 'k2' } }]))[0]
  expect(await conflict()).toMatchObject({ status: 'conflict', heldClientKey: 'k1', generation })
  const { entries } = await lane.claim({ runId: 'a', generation, owner: 'w1' })
  await lane.settle('a', entries)
  await lane.pending.release({ runId: 'a', generation, owner: 'w1' }, 1)
  expect(await conflict()).toMatchObject({ status: 'conflict', heldClientKey: 'k1', generation: null })
})
