import type { Redis } from 'ioredis'
import type { Lane } from '../redis/lane.js'
import { MendingQueue } from '../redis/mending-queue.js'

/** The intake queue, to look at and to add to. The connection stays the caller's, and so do its errors. */
export function openIntakeQueue(redis: Redis, lane: Lane): MendingQueue {
  return new MendingQueue(lane.intakeQueueName, { connection: redis, prefix: lane.prefix })
}
