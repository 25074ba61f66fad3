import { Redis } from 'ioredis'
import { ConfigurationError } from '../errors.js'
import { type ConnectionOptions, describeRedis, type RedisSource, readRedisSource } from './redis-source.js'
import { isReadOnly } from './trouble.js'

/**
 * The options of a producer's connection. It must not run a write that was reported as failed: nothing waits in an
 * offline queue, nothing is sent again after a reconnect, and every command ends within its time-out. What may still
 * lie in a socket's buffer then is dropped by `abandon`, as far as it is there to be dropped, and otherwise refused by the
 * merge itself, which is told the latest time at which it may run.
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
 * After a failover the address leads to another server, and the old one may leave its connections open: it has become a
 * replica that refuses each write, so the connection is made anew. `true` does not send the refused command again,
 * which is its caller's affair. BullMQ's blocking connections inherit this. A subscriber writes nothing and stays where it
 * is: what is published on the new primary reaches it by replication. Where that is broken, workers still look at the
 * lane every few seconds, and `serve` at what is remembered once a request's wait is over.
 */
const FOLLOW_FAILOVER = { reconnectOnError: (error: Error): boolean => isReadOnly(error) } as const

/**
 * Opens a connection of its own with these options. Its errors are events: without the listener that the caller gives,
 * ioredis would print them. A server that refuses the database is told as a ConfigurationError: ioredis would go on in
 * database 0, which is another lane, so such a connection never becomes ready. It tries again, as after any error.
 * @throws ConfigurationError for a source that is none or cannot work; then nothing was opened.
 */
export function connect(source: RedisSource, options: ConnectionOptions, onError: (error: Error) => void): Redis {
  const target = readRedisSource(source)
  const all = {
    ...FOLLOW_FAILOVER,
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
  redis.on('connect', () => {
    // ioredis listens once more for each command that a replica refuses, and Node would warn of a leak.
    redis.stream.setMaxListeners(0)
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

/**
 * Ends a connection that gives no answer; ioredis makes a new one. By a reset: after an ordinary end the kernel would go on
 * delivering what it still holds. What Redis's machine has received is out of reach: Linux hands that out even then.
 */
export function abandon(stream: Redis['stream']): void {
  try {
    stream.resetAndDestroy()
  } catch {
    // Node resets TCP only, which neither TLS nor a Unix socket is to it.
    stream.destroy()
  }
}
