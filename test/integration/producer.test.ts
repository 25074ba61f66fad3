import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RedisUnavailableError, UpdateRejectedError } from '../../src/errors.js'
import { EnqueueInterruptedError, orderOf } from '../../src/producer/enqueue-result.js'
import { createProducer } from '../../src/producer/producer.js'
import type { RunUpdate } from '../../src/run/run-update.js'
import { startHeldUpRedis } from '../support/held-up-redis.js'
import { type Pipeline, startPipeline } from '../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'

let redis: TestRedis
let pipeline: Pipeline

beforeEach(async () => {
  redis = await startTestRedis()
  pipeline = await startPipeline(redis)
})
afterEach(async () => {
  redis.thaw()
  await pipeline.close()
  await redis.close()
  vi.restoreAllMocks()
})

/** So long has passed here of which Redis's clock shows nothing: it was set back, or its machine stood still. */
function setRedisBack(ms: number): void {
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms)
}

const readPending = (runId: string) => redis.client().hgetall(pipeline.lane.pending(runId))

describe('enqueue', () => {
  test('tells what became of an update', async () => {
    const { producer } = pipeline
    const first = await producer.enqueue({ run: { runId: 'run-1', name: 'a' } })
    expect(first).toMatchObject({
      status: 'accepted',
      runId: 'run-1',
      staleFields: [],
      conflictFields: [],
      error: null,
    })
    const second = await producer.enqueue({ run: { runId: 'run-1', name: 'old' }, observedAt: '2020-01-01T00:00:00Z' })
    expect(second).toMatchObject({ status: 'stale', generation: first.generation, staleFields: ['name'] })
  })

  test('throws for an update that the parser refuses, with its code and path', async () => {
    const update = { run: { runId: 'run-1', isPinned: 'yes' as unknown as boolean } }
    await expect(pipeline.producer.enqueue(update)).rejects.toMatchObject({
      constructor: UpdateRejectedError,
      code: 'invalid_value',
      path: 'run.isPinned',
    })
  })

  test('refuses an observation from the future', async () => {
    const observedAt = new Date(Date.now() + 6 * 60_000).toISOString()
    await expect(pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'a' }, observedAt })).rejects.toMatchObject({
      code: 'observed_in_future',
      path: 'observedAt',
    })
  })

  test('records the letter of a client key in conflict before it returns', async () => {
    await pipeline.producer.enqueue({ run: { runId: 'run-1', clientKey: 'first' } })
    const result = await pipeline.producer.enqueue({
      run: { runId: 'run-1', clientKey: 'second' },
      source: 'telemetry',
    })
    expect(result).toMatchObject({ status: 'conflict', conflictFields: ['clientKey'] })
    const letters = []
    for await (const { data } of pipeline.deadLetters.list()) letters.push(data)
    expect(letters).toMatchObject([
      { runId: 'run-1', run: { clientKey: 'second' }, heldClientKey: 'first', sources: ['telemetry'], attempts: 0 },
    ])
  })

  test('keeps the order of calls that are not waited for', async () => {
    const calls = Array.from({ length: 300 }, (_, i) =>
      pipeline.producer.enqueue({ run: { runId: 'run-1', name: `${i}` } }),
    )
    await Promise.all(calls)
    expect((await readPending('run-1'))['value:name']).toBe('"299"')
  })
})

describe('updates on their way together', () => {
  const names = (count: number): RunUpdate[] =>
    Array.from({ length: count }, (_, number) => ({ run: { runId: 'run-1', name: `name ${number}` } }))

  test('are merged in the order of the calls', async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all(names(1_000).map((update) => pipeline.producer.enqueue(update)))
      expect(await readPending('run-1')).toMatchObject({
        'value:name': '"name 999"',
        updates: `${1_000 * (round + 1)}`,
      })
    }
  })

  test('keep it, and are all taken, where Redis forgets its scripts meanwhile', async () => {
    const client = redis.client()
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'first' } })
    for (let round = 0; round < 20; round++) {
      const taken = pipeline.producer.enqueueMany(names(1_000))
      await client.script('FLUSH')
      const results = await taken
      expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['accepted']))
      const sequences = results.map((result) => orderOf(result)?.sequence ?? 0)
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
      expect(await readPending('run-1')).toMatchObject({
        'value:name': '"name 999"',
        updates: `${1_000 * (round + 1) + 1}`,
      })
    }
  })
})

test('an update that was cut off on its way is not overtaken by one that comes later', async () => {
  const way = await startHeldUpRedis(redis.url)
  try {
    const producer = pipeline.addProducer({ redis: way.url })
    await producer.enqueue({ run: { runId: 'run-1', name: 'first' } })
    way.holdUp()
    const cutOff = expect(producer.enqueue({ run: { runId: 'run-1', name: 'cut off' } })).rejects.toThrow(
      'may or may not',
    )
    await way.cut()
    await delay(500)
    const later = producer.enqueue({ run: { runId: 'run-1', name: 'later' } })
    await delay(500)
    way.deliver()
    await cutOff
    expect(await later).toMatchObject({ status: 'accepted' })
    expect(await readPending('run-1')).toMatchObject({ 'value:name': '"later"', updates: '3' })
  } finally {
    await way.close()
  }
})

describe('enqueueMany', () => {
  test('gives a result for each, in order, and a bad one does not stop the rest', async () => {
    const results = await pipeline.producer.enqueueMany([
      { run: { runId: 'run-1', name: 'a' } },
      { run: { runId: 'run 2', name: 'b' } },
      { run: { runId: 'run-3', name: 'c' } },
    ])
    expect(results.map(({ status, runId }) => [status, runId])).toEqual([
      ['accepted', 'run-1'],
      ['rejected', 'run 2'],
      ['accepted', 'run-3'],
    ])
    expect(results[1]?.error).toMatchObject({ code: 'invalid_run_id', path: 'run.runId' })
  })

  test('a hole in the list is rejected at its place', async () => {
    const updates = [{ run: { runId: 'run-1', name: 'a' } }, { run: { runId: 'run-2', name: 'b' } }]
    delete updates[0]
    const results = await pipeline.producer.enqueueMany(updates)
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'accepted'])
    expect(results[0]?.error?.code).toBe('missing_run')
  })

  test('what is no list is refused with what it wants', async () => {
    const one = { run: { runId: 'run-1', name: 'a' } } as unknown as RunUpdate[]
    await expect(pipeline.producer.enqueueMany(one)).rejects.toThrow(
      new TypeError('enqueueMany takes an array of updates; enqueue takes one alone'),
    )
  })

  test('a run whose pending key is no hash costs that run only', async () => {
    await redis.client().set(pipeline.lane.pending('broken'), 'x')
    const results = await pipeline.producer.enqueueMany([
      { run: { runId: 'broken', name: 'a' } },
      { run: { runId: 'whole', name: 'b' } },
    ])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'accepted'])
    expect(results[0]?.error?.code).toBe('corrupt_pending')
  })

  test('at the limit of pending runs refuses new runs, and still merges into pending ones', async () => {
    const producer = pipeline.addProducer({ maxPendingRuns: 2 })
    const update = (runId: string) => ({ run: { runId, name: 'n' } })
    await producer.enqueueMany([update('run-1'), update('run-2')])
    const results = await producer.enqueueMany([update('run-3'), update('run-1')])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'accepted'])
    expect(results[0]?.error).toMatchObject({ code: 'overloaded' })
  })
})

describe('Redis away or stopped', () => {
  test('a call fails within two seconds, and says that sending again is safe', async () => {
    const away = createProducer({ redis: 'redis://127.0.0.1:1' })
    const startedAt = performance.now()
    await expect(away.enqueue({ run: { runId: 'run-1', name: 'a' } })).rejects.toThrow(/sending it again is safe/)
    expect(performance.now() - startedAt).toBeLessThan(2_500)
    await away.close()
  })

  test('what was reported as failed while Redis was stopped does not happen later', async () => {
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'before' } })
    redis.freeze()
    const calls = ['a', 'b', 'c'].map((name) => pipeline.producer.enqueue({ run: { runId: 'run-1', name } }))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason)).toEqual(
      Array.from({ length: 3 }, () => expect.any(RedisUnavailableError)),
    )
    redis.thaw()
    await waitFor('Redis to answer', () => redis.client().ping())
    // What lay in its sockets' buffers was run before this answer.
    expect(await readPending('run-1')).toMatchObject({ 'value:name': '"before"', updates: '1' })
  })

  test('many updates that were cut off end together, and none of them happens later', async () => {
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'before' } })
    redis.freeze()
    const updates = Array.from({ length: 1_200 }, (_, index) => ({ run: { runId: 'run-1', name: `n${index}` } }))
    await expect(pipeline.producer.enqueueMany(updates)).rejects.toMatchObject({
      constructor: EnqueueInterruptedError,
      results: [],
    })
    redis.thaw()
    await waitFor('Redis to answer', () => redis.client().ping())
    expect(await readPending('run-1')).toMatchObject({ 'value:name': '"before"', updates: '1' })
  })

  test('nor where its clock was set back while the producer idled', async () => {
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'before' } })
    setRedisBack(60_000)
    redis.freeze()
    await expect(pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'old' } })).rejects.toThrow('was not taken')
    redis.thaw()
    await waitFor('Redis to answer', () => redis.client().ping())
    expect(await readPending('run-1')).toMatchObject({ 'value:name': '"before"', updates: '1' })
  })

  test('nor where its clock stands still, for what its machine had not received', async () => {
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'before' } })
    setRedisBack(3_000)
    redis.freeze()
    const description = 'more than the buffers of a socket hold '.repeat(1_500)
    const updates = Array.from({ length: 60 }, () => ({ run: { runId: 'run-1', description } }))
    await expect(pipeline.producer.enqueueMany(updates)).rejects.toThrow('may or may not')
    redis.thaw()
    // On the same connection it would come behind them.
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'after' } })
    const pending = await readPending('run-1')
    expect(pending).toMatchObject({ 'value:name': '"after"', updates: '2' })
    expect(pending).not.toHaveProperty('value:description')
  })

  test('many updates of one run keep their order', async () => {
    const updates = Array.from({ length: 1_200 }, (_, index) => ({ run: { runId: 'run-1', name: `n${index}` } }))
    const results = await pipeline.producer.enqueueMany(updates)
    expect(results.map(({ status }) => status)).toEqual(updates.map(() => 'accepted'))
    expect(await readPending('run-1')).toMatchObject({ 'value:name': '"n1199"', updates: '1200' })
  })

  test('a call that comes while Redis is back within its two seconds succeeds', async () => {
    redis.freeze()
    const call = pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'a' } })
    setTimeout(() => redis.thaw(), 500)
    expect(await call).toMatchObject({ status: 'accepted' })
  })
})

test('a producer asks for the time once, and again only where it has idled', async () => {
  const asked = vi.spyOn(Redis.prototype, 'time')
  const producer = pipeline.addProducer()
  for (let i = 0; i < 20; i++) await producer.enqueue({ run: { runId: 'run-1', name: `${i}` } })
  expect(asked).toHaveBeenCalledTimes(1)
  setRedisBack(6_000)
  await producer.enqueue({ run: { runId: 'run-1', name: 'after' } })
  expect(asked).toHaveBeenCalledTimes(2)
})

test('a lane of a newer layout is refused, and nothing is written to it', async () => {
  const client = redis.client()
  await client.set(pipeline.lane.schema, '999')
  const producer = pipeline.addProducer()
  await expect(producer.enqueue({ run: { runId: 'run-1', name: 'a' } })).rejects.toThrow(/layout version 999/)
  expect(await client.zcard(pipeline.lane.index)).toBe(0)
})
