import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import type * as Ioredis from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError, RedisUnavailableError } from '../../src/errors.js'
import { createProducer } from '../../src/producer/producer.js'
import { laneOf } from '../../src/redis/lane.js'
import { createWorker } from '../../src/worker/worker.js'
import { expectNoLeaks } from '../support/leaks.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'

expectNoLeaks()

const sift = { baseUrl: 'http://127.0.0.1:1', apiKey: 'a-key' }
const update = { run: { runId: 'run-1', name: 'n' } }

let redis: TestRedis

beforeAll(async () => {
  redis = await startTestRedis({ args: ['--databases', '2'] })
})
afterAll(async () => {
  await redis.close()
})

describe('a client of the user', () => {
  test('may come from another copy of ioredis, and stays open', async () => {
    const client = new (anotherIoredis().Redis)(redis.url, { lazyConnect: true })
    const producer = createProducer({ redis: client, queueName: 'another-copy' })
    expect(await producer.enqueue(update)).toMatchObject({ status: 'accepted' })
    await producer.close()
    expect(await client.exists(laneOf('another-copy').pending('run-1'))).toBe(1)
    client.disconnect()
  })

  /** As a package manager installs one that is of another version than ours. */
  function anotherIoredis(): typeof Ioredis {
    const require = createRequire(import.meta.url)
    for (const path of Object.keys(require.cache)) if (path.includes('/ioredis/')) delete require.cache[path]
    return require('ioredis')
  }
})

describe('a database that the server does not have', () => {
  test('fails the calls of a producer, and nothing is written to another one', async () => {
    const producer = createProducer({ redis: `${redis.url}/7`, queueName: 'no-database' })
    const call = producer.enqueue(update)
    await expect(call).rejects.toThrow(RedisUnavailableError)
    await expect(call).rejects.toThrow(/refuses the database 7 \(ERR DB index is out of range\).*was not taken/)
    await producer.close()
    expect(await redis.client().keys('*no-database*')).toEqual([])
  })

  test('keeps a worker from becoming ready, and it closes', async () => {
    const worker = createWorker({ redis: `${redis.url}/7`, queueName: 'no-database', sift })
    await expect(worker.ready()).rejects.toThrow(ConfigurationError)
    await expect(worker.ready()).rejects.toThrow(/refuses the database 7/)
    await worker.close({ timeoutMs: 100 })
    expect(await redis.client().keys('*no-database*')).toEqual([])
  })

  test('is no matter once the server has it', async () => {
    const producer = createProducer({ redis: `${redis.url}/1`, queueName: 'database-one' })
    await producer.enqueue(update)
    await producer.close()
    expect(await redis.client({ db: 1 }).exists(laneOf('database-one').pending('run-1'))).toBe(1)
  })
})

describe('what a failed call tells', () => {
  test('is the refusal of a wrong password, without the password', async () => {
    await redis.client().config('SET', 'requirepass', 'right')
    const producer = createProducer({ redis: { host: '127.0.0.1', port: redis.port, password: 'hidden' } })
    const failure = await producer.enqueue(update).catch((error: unknown) => error)
    await producer.close()
    await redis.client({ password: 'right' }).config('SET', 'requirepass', '')
    expect(failure).toBeInstanceOf(RedisUnavailableError)
    expect(failure).toHaveProperty('message', expect.stringMatching(/WRONGPASS.*was not taken/))
    expect(inspect(failure)).not.toContain('hidden')
    expect((failure as Error).cause).not.toHaveProperty('command')
  })

  test('is at once that the server wants another password, or one at all, and the next call is let in once it does not', async () => {
    const client = redis.client()
    await client.config('SET', 'requirepass', 'right')
    const producers = ['wrong', undefined].map((password) =>
      createProducer({ redis: { host: '127.0.0.1', port: redis.port, ...(password && { password }) } }),
    )
    const startedAt = performance.now()
    const calls = producers.flatMap((producer) => [producer.enqueue(update), producer.enqueueMany([update, update])])
    for (const failure of await Promise.all(calls.map((call) => call.catch((error: unknown) => error)))) {
      expect(failure).toBeInstanceOf(RedisUnavailableError)
      expect(failure).toHaveProperty(
        'message',
        expect.stringMatching(/lets nobody in .* Correct the user and password/),
      )
    }
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    await redis.client({ password: 'right' }).config('SET', 'requirepass', '')
    for (const producer of producers) {
      await waitFor('it to be let in', () =>
        producer.enqueue(update).then(
          ({ status }) => status,
          () => false,
        ),
      )
      await producer.close()
    }
  })

  test('is that nobody listens there', async () => {
    const producer = createProducer({ redis: 'redis://127.0.0.1:1' })
    await expect(producer.enqueue(update)).rejects.toThrow(/ECONNREFUSED.*was not taken/)
    await producer.close()
  })

  test('is that the producer is closed, at once', async () => {
    const producer = createProducer({ redis: redis.url })
    await producer.close()
    const startedAt = performance.now()
    for (const call of [producer.enqueue(update), producer.enqueueMany([update]), producer.enqueueTexts(['{}'])]) {
      await expect(call).rejects.toThrow(/producer is closed/)
    }
    expect(performance.now() - startedAt).toBeLessThan(500)
  })

  test('is that the worker was closed before it was ready', async () => {
    const worker = createWorker({ redis: 'redis://127.0.0.1:1', sift })
    const ready = worker.ready()
    await worker.close({ timeoutMs: 100 })
    await expect(ready).rejects.toThrow(/closed before it was ready/)
  })
})
