import { Redis, type RedisOptions } from 'ioredis'

/** Options of ioredis; replies keep the form that this project reads them in. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>

/** A URL (redis:// or rediss://), ioredis options, or an ioredis client of yours, which stays yours to close. */
export type RedisSource = string | ConnectionOptions | Redis

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
 * ioredis would print them.
 */
export function connect(source: RedisSource, options: ConnectionOptions, onError: (error: Error) => void): Redis {
  const all: ConnectionOptions = {
    retryStrategy: (attempt) => Math.min(50 * attempt, MAX_RECONNECT_DELAY_MS),
    ...options,
  }
  const redis =
    typeof source === 'string'
      ? new Redis(source, all)
      : source instanceof Redis
        ? source.duplicate(all)
        : new Redis({ ...source, ...all })
  redis.on('error', onError)
  return redis
}

/** Where a connection goes, for people to read: never its user or password. */
export function describeRedis(source: RedisSource): string {
  if (typeof source === 'string') {
    const url = new URL(source)
    return `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`
  }
  const options = source instanceof Redis ? source.options : source
  if (options.path) return options.path
  const scheme = options.tls ? 'rediss' : 'redis'
  return `${scheme}://${options.host ?? '127.0.0.1'}:${options.port ?? 6379}${options.db ? `/${options.db}` : ''}`
}
