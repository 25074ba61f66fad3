import type { Redis } from 'ioredis'
import { ConfigurationError } from '../errors.js'
import type { Lane } from '../redis/lane.js'

/** The version of the layout in Redis. It changes when an older worker would misread what a newer one writes. */
export const LAYOUT_VERSION = '1'

/**
 * Claims the lane for this layout, or refuses to work on another one.
 * @throws ConfigurationError where the lane holds a layout that this version does not know.
 */
export async function checkLayout(redis: Redis, lane: Lane): Promise<void> {
  await redis.set(lane.schema, LAYOUT_VERSION, 'NX')
  await refuseOtherLayout(redis, lane)
}

/**
 * The same for whoever does not claim a lane that is new.
 * @throws ConfigurationError where the lane holds a layout that this version does not know.
 */
export async function refuseOtherLayout(redis: Redis, lane: Lane): Promise<void> {
  const found = await redis.get(lane.schema)
  if (found !== null && found !== LAYOUT_VERSION) {
    throw new ConfigurationError([
      `The lane ${lane.prefix}:${lane.queueName} holds data of layout version ${found}, and this version of sift-run-updater knows ${LAYOUT_VERSION} only. Run the version that wrote it, or use another QUEUE_NAME.`,
    ])
  }
}
