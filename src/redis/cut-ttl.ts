import type { Redis } from 'ioredis'

/**
 * Redis keeps the end of a TTL by its wall clock: set back an hour, a key that is given a few seconds lives for an hour.
 * Where it is to live longer than it ever is given, it is given that anew.
 */
export async function cutTtl(redis: Redis, key: string, longestMs: number): Promise<void> {
  if ((await redis.pttl(key)) > longestMs) await redis.pexpire(key, longestMs)
}
