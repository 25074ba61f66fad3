import type { Redis } from 'ioredis'
import { type Config, policyOptions } from '../config.js'
import { DeadLetters } from '../dead-letters/dead-letters.js'
import { FlushQueue } from '../flush-queue/flush-queue.js'
import { refuseOtherLayout } from '../pending/layout.js'
import { PendingUpdates } from '../pending/pending-updates.js'
import { type Policy, policyWith } from '../policy.js'
import { becomeReady } from '../redis/become-ready.js'
import { connect } from '../redis/connection.js'
import { type Lane, laneOf } from '../redis/lane.js'
import type { ConnectionOptions } from '../redis/redis-source.js'
import { Throttle } from '../throttle/throttle.js'

/** A person waits for these commands, so a Redis that is away is told soon, and nothing is tried again. */
const COMMAND_CONNECTION = {
  maxRetriesPerRequest: 0,
  connectTimeout: 2_500,
  commandTimeout: 10_000,
  retryStrategy: () => null,
} as const satisfies ConnectionOptions

/** The parts of a lane, as a command that looks at it or changes it needs them. */
export interface LaneSession {
  readonly redis: Redis
  readonly lane: Lane
  readonly policy: Policy
  readonly pending: PendingUpdates
  readonly throttle: Throttle
  readonly flushQueue: FlushQueue
  readonly deadLetters: DeadLetters
}

/**
 * Runs a task on a lane, over a connection of its own that is closed whatever comes.
 * @throws RedisUnavailableError where Redis does not answer within a few seconds.
 * @throws ConfigurationError where the lane is of another layout.
 */
export async function withLane<Result>(
  config: Config,
  task: (session: LaneSession) => Promise<Result>,
): Promise<Result> {
  return await withRedis(config.REDIS_URL, async (redis) => {
    const lane = laneOf(config.QUEUE_NAME, config.QUEUE_PREFIX)
    await refuseOtherLayout(redis, lane)
    const policy = policyWith(policyOptions(config))
    const pending = new PendingUpdates(redis, lane, policy)
    const throttle = new Throttle(redis, lane, policy)
    const flushQueue = new FlushQueue(redis, lane)
    const deadLetters = new DeadLetters(redis, lane, pending, flushQueue, policy)
    try {
      return await task({ redis, lane, policy, pending, throttle, flushQueue, deadLetters })
    } finally {
      await Promise.allSettled([flushQueue.close(), deadLetters.close()])
    }
  })
}

/** The same for a task that needs Redis only. */
export async function withRedis<Result>(url: string, task: (redis: Redis) => Promise<Result>): Promise<Result> {
  let lastError: Error | undefined
  const redis = connect(url, COMMAND_CONNECTION, (error) => {
    lastError = error
  })
  try {
    await becomeReady(redis, () => lastError)
    return await task(redis)
  } finally {
    // One that has ended already would keep the process for two more seconds.
    if (redis.status !== 'end') redis.disconnect()
  }
}
