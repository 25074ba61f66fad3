import { Cluster, Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/errors.js'
import { createProducer } from '../../../src/producer/producer.js'
import { describeRedis, type RedisSource, readRedisSource } from '../../../src/redis/redis-source.js'
import { createWorker } from '../../../src/worker/worker.js'

class ForeignClient {
  readonly options = { url: 'redis://elsewhere' }
  readonly isOpen = false
  duplicate() {
    return new ForeignClient()
  }
}

const sift = { baseUrl: 'http://127.0.0.1:1', apiKey: 'a-key' }

describe('a source of Redis', () => {
  test.each([
    ['a number', 5],
    ['null', null],
    ['a word', 'foo'],
    ['a host without a scheme', 'localhost:6379'],
    ['a list', ['redis://127.0.0.1']],
    ['a URL object', new URL('redis://127.0.0.1')],
    ['a client of another library', new ForeignClient()],
  ])('%s is refused', (_what, source) => {
    expect(() => readRedisSource(source as RedisSource)).toThrow(ConfigurationError)
  })

  test('options of any kind are taken, also none at all', () => {
    expect(readRedisSource({})).toEqual({})
    expect(readRedisSource({ path: '/run/redis.sock' })).toEqual({ path: '/run/redis.sock' })
  })

  test('a client stands for its options', () => {
    const client = new Redis({ host: 'elsewhere', port: 7, db: 3, lazyConnect: true })
    expect(readRedisSource(client)).toMatchObject({ host: 'elsewhere', port: 7, db: 3 })
    expect(describeRedis(client)).toBe('redis://elsewhere:7/3')
  })

  test('a Cluster is refused as not supported yet', () => {
    const cluster = new Cluster(['redis://127.0.0.1:1'], { lazyConnect: true })
    expect(() => readRedisSource(cluster as unknown as Redis)).toThrow(/Cluster, which is not supported yet/)
  })

  test.each(['redis://user:hidden%@host', 'redis://hidden%zz:p@host', 'rediss://:hidden%E0%A4@host/0'])(
    'a URL whose credentials cannot be decoded (%s) is refused and not shown',
    (url) => {
      expect(() => createProducer({ redis: url })).toThrow(ConfigurationError)
      expect(() => createProducer({ redis: url })).toThrow(/^(?!.*hidden).*%25/)
    },
  )

  test.each<[string, RedisSource]>([
    ['options', { keyPrefix: 'app:' }],
    ['a URL', 'redis://127.0.0.1:1?keyPrefix=app:'],
    ['a client', new Redis({ keyPrefix: 'app:', lazyConnect: true })],
  ])('a key prefix in %s is refused by producers and workers', (_what, redis) => {
    expect(() => createProducer({ redis })).toThrow(/keyPrefix.*queuePrefix/)
    expect(() => createWorker({ redis, sift })).toThrow(/keyPrefix.*queuePrefix/)
  })
})
