import type { Redis } from 'ioredis'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import type { FlushQueue } from '../flush-queue/flush-queue.js'
import type { PendingUpdates } from '../pending/pending-updates.js'
import type { Lane } from '../redis/lane.js'
import type { Rate, Throttle } from '../throttle/throttle.js'

/** A lane, as the routes look at it and change it. */
export interface LaneParts {
  /** Fails at once where Redis is away, so that a client is told. */
  readonly redis: Redis
  readonly lane: Lane
  readonly pending: PendingUpdates
  readonly throttle: Throttle
  readonly flushQueue: FlushQueue
  readonly deadLetters: DeadLetters
  /** Where no worker has ever set the lane's rate. */
  readonly rate: Rate
}
