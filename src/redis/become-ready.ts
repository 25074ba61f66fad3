import type { Redis } from 'ioredis'
import { ConfigurationError, RedisUnavailableError } from '../errors.js'
import { describeRedis } from './redis-source.js'

const READY_WITHIN_MS = 4_000

/**
 * Waits for a connection that somebody waits for at a terminal.
 * @param lastError what the connection has told last
 * @throws ConfigurationError where it can never be made, RedisUnavailableError where it was not made in time.
 */
export function becomeReady(redis: Redis, lastError: () => Error | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = () => {
      clearTimeout(timer)
      const cause = lastError()
      if (cause instanceof ConfigurationError) return reject(cause)
      const why = cause ? ` (${cause.message || String(cause)})` : ''
      reject(
        new RedisUnavailableError(
          `Redis at ${describeRedis(redis)} can't be reached${why}. Check that it runs, and REDIS_URL or --redis-url.`,
          cause && { cause },
        ),
      )
    }
    const timer = setTimeout(fail, READY_WITHIN_MS)
    redis.once('ready', () => {
      clearTimeout(timer)
      redis.off('end', fail)
      resolve()
    })
    redis.once('end', fail)
  })
}
