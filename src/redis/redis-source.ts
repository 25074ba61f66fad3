import type { Redis, RedisOptions } from 'ioredis'
import { ConfigurationError } from '../errors.js'
import { isJsonObject } from '../run/json-object.js'

/** Options of ioredis; replies keep the form that this project reads them in. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>

/** A URL (redis:// or rediss://), ioredis options, or an ioredis client of yours, which stays yours to close. */
export type RedisSource = string | ConnectionOptions | Redis

const NO_KEY_PREFIX = 'must have no keyPrefix, which BullMQ cannot work with: use queuePrefix'

/**
 * Where to connect to: a URL or options, also where the source is a client.
 * @throws ConfigurationError for what is none of them, or cannot work.
 */
export function readRedisSource(source: RedisSource): string | ConnectionOptions {
  if (typeof source === 'string') {
    const problem = redisUrlProblem(source)
    if (problem !== undefined) throw new ConfigurationError([`redis ${problem}`])
    return source
  }
  if (isCluster(source)) {
    throw new ConfigurationError(['redis is a client of a Redis Cluster, which is not supported yet'])
  }
  const options = isClient(source) ? source.options : source
  // Also a client of another library: ioredis would find nothing that it knows, and connect to this machine.
  if (!isJsonObject(options)) {
    throw new ConfigurationError(['redis must be a URL, options of ioredis or a client of ioredis'])
  }
  if (options.keyPrefix) throw new ConfigurationError([`redis ${NO_KEY_PREFIX}`])
  return options
}

/** What is wrong with a URL of Redis, without showing it: it may hold a password. Undefined: nothing. */
export function redisUrlProblem(text: string): string | undefined {
  const form = 'must be a URL such as redis://127.0.0.1:6379, or rediss://:password@host:6379/0'
  if (!URL.canParse(text)) return form
  const { protocol, hostname, pathname, username, password, searchParams } = new URL(text)
  if (!/^rediss?:$/.test(protocol) || hostname === '' || !/^\/?\d*$/.test(pathname)) return form
  if (!isDecodable(username) || !isDecodable(password)) {
    return 'has a user or password with a % that begins no %XX; write the % itself as %25'
  }
  return searchParams.get('keyPrefix') ? NO_KEY_PREFIX : undefined
}

/** Where a connection goes, for people to read: never its user or password. */
export function describeRedis(source: RedisSource): string {
  const target = readRedisSource(source)
  if (typeof target === 'string') {
    const url = new URL(target)
    return `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`
  }
  if (target.path) return target.path
  const scheme = target.tls ? 'rediss' : 'redis'
  return `${scheme}://${target.host ?? '127.0.0.1'}:${target.port ?? 6379}${target.db ? `/${target.db}` : ''}`
}

/** By its form, since a client may come from another copy of ioredis. */
function isClient(source: unknown): source is Redis {
  return isObject(source) && typeof source.duplicate === 'function' && typeof source.status === 'string'
}

function isCluster(source: unknown): boolean {
  return isObject(source) && source.isCluster === true
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
