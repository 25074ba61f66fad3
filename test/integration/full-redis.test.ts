import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisUnavailableError } from '../../src/errors.js'
import { type Pipeline, startPipeline } from '../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

/** A call that is refused at once is told long before its two seconds are over. */
const AT_ONCE_MS = 1_000

let redis: TestRedis
let pipeline: Pipeline

beforeEach(async () => {
  redis = await startTestRedis({ args: ['--maxmemory-policy', 'noeviction'] })
  pipeline = await startPipeline(redis)
})
afterEach(async () => {
  await pipeline.close()
  await redis.close()
})

const update = (runId: string, name: string) => ({ run: { runId, name } })
const nameOf = (runId: string) => redis.client().hget(pipeline.lane.pending(runId), 'value:name')

async function setMaxMemory(bytes: number): Promise<void> {
  await redis.client().config('SET', 'maxmemory', bytes)
}

describe('a Redis that is full', () => {
  test('takes nothing, says so at once, and goes on once it has room', async () => {
    await pipeline.producer.enqueue(update('pending', 'first'))
    await setMaxMemory(1_000)
    const startedAt = performance.now()
    const results = await pipeline.producer.enqueueMany([update('new', 'n'), update('pending', 'second')])
    expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS)
    for (const { status, error } of results) {
      expect(status).toBe('rejected')
      expect(error).toMatchObject({ code: 'overloaded', message: expect.stringContaining('Redis is full (maxmemory)') })
    }
    await setMaxMemory(0)
    expect(await nameOf('pending')).toBe('"first"')
    expect(await nameOf('new')).toBeNull()
    expect(await pipeline.producer.enqueue(update('pending', 'third'))).toMatchObject({ status: 'accepted' })
    expect(await nameOf('pending')).toBe('"third"')
  })

  test('tells it to a producer that meets it so', async () => {
    await setMaxMemory(1_000)
    const startedAt = performance.now()
    await expect(pipeline.addProducer().enqueue(update('new', 'n'))).rejects.toMatchObject({ code: 'overloaded' })
    expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS)
  })

  test('costs a worker nothing but the time: what is pending is sent once there is room', async () => {
    const worker = pipeline.addWorker()
    await worker.ready()
    const producer = pipeline.addProducer({ coalesceWindowMs: 300 })
    await producer.enqueueMany([update('run-1', 'a'), update('run-2', 'b')])
    await setMaxMemory(1_000)
    await delay(1_000)
    const pendingWhileFull = await redis.client().zcard(pipeline.lane.index)
    await setMaxMemory(0)
    await pipeline.drained(20_000)
    expect(pendingWhileFull).toBe(2)
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'a' })
    expect(pipeline.simulator.runs.get('run-2')).toMatchObject({ name: 'b' })
  })

  test('keeps the order of what it takes, while it is full again and again', async () => {
    const client = redis.client()
    await pipeline.producer.enqueue(update('run-1', 'first'))
    const calls: Promise<boolean>[] = []
    for (let number = 0; number < 400; number++) {
      if (number % 40 === 0) void client.config('SET', 'maxmemory', number % 80 === 0 ? 0 : 1_000)
      calls.push(
        pipeline.producer.enqueue(update('run-1', `${number}`)).then(
          () => true,
          (error: { code?: string }) => {
            expect(error.code).toBe('overloaded')
            return false
          },
        ),
      )
      if (number % 10 === 9) await delay(1)
    }
    const taken = await Promise.all(calls)
    await setMaxMemory(0)
    expect(new Set(taken)).toEqual(new Set([true, false]))
    expect(await nameOf('run-1')).toBe(`"${taken.lastIndexOf(true)}"`)
    expect(await client.hget(pipeline.lane.pending('run-1'), 'updates')).toBe(`${taken.filter(Boolean).length + 1}`)
  })
})

describe('a user without rights', () => {
  async function producerWith(...rights: string[]) {
    await redis.client().call('ACL', 'SETUSER', 'few', 'reset', 'on', '>word', '~*', '&*', '+@all', ...rights)
    return pipeline.addProducer({ redis: redis.url.replace('redis://', 'redis://few:word@') })
  }

  test.each(['-script', '-evalsha', '-time'])('(%s) is told at once, and nothing is taken', async (right) => {
    const producer = await producerWith(right)
    const startedAt = performance.now()
    const call = producer.enqueue(update('run-1', 'n'))
    await expect(call).rejects.toThrow(/refuses this user \(NOPERM .*was not taken; .*ACL/)
    await expect(call).rejects.toBeInstanceOf(RedisUnavailableError)
    expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS)
    expect(await nameOf('run-1')).toBeNull()
  })

  test('is told at once where a script is cut short, too: part of the batch may have been taken', async () => {
    const producer = await producerWith('-zadd')
    const startedAt = performance.now()
    await expect(producer.enqueue(update('run-1', 'n'))).rejects.toThrow(/refuses this user .*may or may not/)
    expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS)
  })
})
