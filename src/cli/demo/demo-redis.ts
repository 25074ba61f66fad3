import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { RedisUnavailableError } from '../../errors.js'
import { connect } from '../../redis/connection.js'
import { type Lane, laneOf } from '../../redis/lane.js'
import { describeRedis } from '../../redis/redis-source.js'
import { findRedisServer } from './fetch-redis.js'
import { startRedisServer } from './redis-server.js'

/** Where the demo keeps its lane, and what is left of it afterwards: nothing. */
export interface DemoRedis {
  readonly url: string
  /** For people. */
  readonly description: string
  readonly lane: Lane
  readonly connection: Redis
  /** Ends the server where it is ours, and removes our keys where it is not. */
  close(): Promise<void>
}

const CONNECTION = { connectTimeout: 2_000, maxRetriesPerRequest: 1 } as const

/**
 * The Redis that is given, or a server of our own.
 * @param url undefined or empty: a server of our own
 * @param onProgress told what a fetch is doing
 * @throws RedisServerNotFoundError, RedisServerFailedError where there is none to start
 * @throws RedisUnavailableError where the one that is given can't be reached
 */
export async function openDemoRedis(
  url: string | undefined,
  onProgress: (message: string) => void,
): Promise<DemoRedis> {
  if (!url) {
    const server = await startRedisServer({ binary: await findRedisServer(onProgress) })
    const connection = connect(server.url, CONNECTION, () => {})
    const close = async () => {
      connection.disconnect()
      await server.close()
    }
    return {
      url: server.url,
      description: `its own, ${server.url}`,
      lane: laneOf(),
      connection,
      close,
    }
  }
  // A name that nobody else has: two demos may share a Redis, with each other and with a real lane.
  const lane = laneOf(`demo-${randomBytes(6).toString('hex')}`)
  const connection = connect(url, CONNECTION, () => {})
  const description = describeRedis(url)
  try {
    await connection.ping()
  } catch (cause) {
    connection.disconnect()
    throw new RedisUnavailableError(
      `Redis at ${description} can't be reached. Unset REDIS_URL to let the demo start one of its own.`,
      { cause },
    )
  }
  const close = async () => {
    try {
      await removeLane(connection, lane)
    } finally {
      connection.disconnect()
    }
  }
  return { url, description, lane, connection, close }
}

/** BullMQ's keys, too: all begin with the queue's name, which no other lane's does. */
async function removeLane(redis: Redis, lane: Lane): Promise<void> {
  const pattern = `${lane.prefix}:${lane.queueName}*`
  for await (const keys of redis.scanStream({ match: pattern, count: 1_000 })) {
    if (keys.length > 0) await redis.unlink(keys)
  }
}
