import { Redis } from 'ioredis'
import { ConfigurationError } from '../errors.js'
import { type ConnectionOptions, describeRedis, type RedisSource, readRedisSource } from './redis-source.js'

/**
 * The options of a producer's connection. It must not run a write that was reported as failed: nothing waits in an
 * offline queue, nothing is sent again after a reconnect, and every command ends within its time-out. What may still
 * lie in a socket's buffer then is refused by the merge itself, which is told the latest time at which it may run.
 */
export const PRODUCER_CONNECTION = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  commandTimeout: 1_900,
  connectTimeout: 1_900,
} as const satisfies ConnectionOptions

/** The options of a worker's connection: BullMQ wants commands to wait for Redis to come back, for as long as it takes. */
export const WORKER_CONNECTION = { maxRetriesPerRequest: null } as const satisfies ConnectionOptions

const MAX_RECONNECT_DELAY_MS = 1_000

/**
 * Opens a connection of its own with these options. Its errors are events: without the listener that the caller gives,
 * ioredis would print them. A server that refuses the database is told as a ConfigurationError: ioredis would go on in
 * database 0, which is another lane, so such a connection never becomes ready. It tries again, as after any error.
 * @throws ConfigurationError for a source that is none or cannot work; then nothing was opened.
 */
export function connect(source: RedisSource, options: ConnectionOptions, onError: (error: Error) => void): Redis {
  const target = readRedisSource(source)
  const all = {
    retryStrategy: (attempt: number) => Math.min(50 * attempt, MAX_RECONNECT_DELAY_MS),
    ...options,
    // The check comes after the choice of the database, so a connection that was ended there does not pass it.
    enableReadyCheck: true,
    lazyConnect: false,
  } satisfies ConnectionOptions
  const redis = typeof target === 'string' ? new Redis(target, all) : new Redis({ ...target, ...all })
  let isRefused = false
  redis.on('connecting', () => {
    isRefused = false
  })
  redis.on('error', (error: Error & { command?: { readonly name: string } }) => {
    // What follows tells only that this connection was ended.
    if (isRefused) return
    isRefused = error.command?.name === 'select'
    // Its arguments may hold the password.
    delete error.command
    if (!isRefused) return onError(error)
    redis.disconnect(true)
    onError(
      new ConfigurationError([
        `Redis at ${describeRedis(redis)} refuses the database ${redis.options.db} (${error.message}); correct its number`,
      ]),
    )
  })
  return redis
}
