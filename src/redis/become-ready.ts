import type { Redis } from 'ioredis'
import { ConfigurationError, RedisUnavailableError } from '../errors.js'
import { describeRedis } from './redis-source.js'
import { isLockedOut, lockedOut } from './trouble.js'

const READY_WITHIN_MS = 4_000

/**
 * Waits for a connection that somebody waits for at a terminal. What no further try will mend is told at once.
 * @param lastError what the connection has told last
 * @throws ConfigurationError where it can never be made, RedisUnavailableError where it was not made in time, or the
 * server lets nobody in with this password.
 */
export function becomeReady(redis: Redis, lastError: () => Error | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      redis.off('ready', succeed)
      redis.off('error', look)
      redis.off('end', fail)
    }
    const succeed = () => {
      end()
      resolve()
    }
    const fail = () => {
      end()
      reject(whyNot(redis, lastError()))
    }
    const look = () => {
      const cause = lastError()
      if (cause instanceof ConfigurationError || isLockedOut(cause)) fail()
    }
    const timer = setTimeout(fail, READY_WITHIN_MS)
    redis.on('ready', succeed)
    redis.on('error', look)
    redis.on('end', fail)
    // It may have been told already.
    look()
  })
}

function whyNot(redis: Redis, cause: Error | undefined): Error {
  if (cause instanceof ConfigurationError) return cause
  const where = `Redis at ${describeRedis(redis)}`
  if (isLockedOut(cause)) return new RedisUnavailableError(`${where} ${lockedOut(cause)}.`, { cause })
  const why = cause ? ` (${cause.message || String(cause)})` : ''
  return new RedisUnavailableError(
    `${where} can't be reached${why}. Check that it runs, and REDIS_URL or --redis-url.`,
    cause && { cause },
  )
}
