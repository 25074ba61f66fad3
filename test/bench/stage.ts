/**
 * What all rows share: one Redis of our own that keeps nothing on disk, ours in its database 0 and the peer in 1, so that
 * each side can be emptied by itself; and the simulated API.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { type RedisServer, startRedisServer } from '../../src/cli/demo/redis-server.js'

const SIMULATOR = fileURLToPath(new URL('./simulator-process.js', import.meta.url))

/** A lane that no test of a rate is meant to bound. */
export const NO_LIMIT = { max: 1_000_000, durationMs: 1_000 }

export class Stage {
  readonly oursUrl: string
  readonly peerUrl: string
  readonly ours: Redis
  readonly peer: Redis
  readonly #server: RedisServer

  private constructor(server: RedisServer) {
    this.#server = server
    this.oursUrl = `${server.url}/0`
    this.peerUrl = `${server.url}/1`
    this.ours = new Redis(this.oursUrl, { maxRetriesPerRequest: null })
    this.peer = new Redis(this.peerUrl, { maxRetriesPerRequest: null })
  }

  static async open(): Promise<Stage> {
    return new Stage(await startRedisServer())
  }

  async redisVersion(): Promise<string> {
    return /^redis_version:(\S+)/m.exec(await this.ours.info('server'))?.[1] ?? 'unknown'
  }

  async close(): Promise<void> {
    this.ours.disconnect()
    this.peer.disconnect()
    await this.#server.close()
  }
}

export interface Api {
  readonly url: string
  /** How many PATCHes it has applied since it was started. */
  applied(): Promise<number>
  /** The most requests that arrived within one second. */
  peak(): Promise<number>
  /** When each run's last PATCH arrived, in milliseconds since 1970. */
  arrivals(): Promise<ReadonlyMap<string, number>>
  close(): void
}

/** What the simulator's process tells of itself. */
export interface Told {
  readonly url: string
  readonly applied: number
  readonly peak: number
  readonly arrivals: readonly (readonly [runId: string, atMs: number])[]
}

/** The simulated API; each answer takes so long. */
export async function startApi(latencyMs: number): Promise<Api> {
  const child = fork(SIMULATOR, [String(latencyMs)])
  const ask = async (): Promise<Told> => {
    const answer = once(child, 'message')
    child.send('tell')
    return (await answer)[0]
  }
  await once(child, 'message')
  const { url } = await ask()
  return {
    url,
    applied: async () => (await ask()).applied,
    peak: async () => (await ask()).peak,
    arrivals: async () => new Map((await ask()).arrivals),
    close: () => child.disconnect(),
  }
}
