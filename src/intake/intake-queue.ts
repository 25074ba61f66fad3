import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Lane } from '../redis/lane.js'

/** The intake queue, to look at and to add to. The connection stays the caller's, and so do its errors. */
export function openIntakeQueue(redis: Redis, lane: Lane): Queue {
  const queue = new Queue(lane.intakeQueueName, { connection: redis, prefix: lane.prefix })
  queue.on('error', () => {})
  return queue
}
