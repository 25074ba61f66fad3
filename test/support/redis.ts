import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis, type RedisOptions } from 'ioredis'
import { type RedisServer, startRedisServer } from '../../src/cli/demo/redis-server.js'

export interface TestRedisOptions {
  /** Off by default: then a restart loses everything. */
  readonly appendfsync?: 'always' | 'everysec'
  /** Further arguments of redis-server, as `['--maxmemory', '2mb']`. */
  readonly args?: readonly string[]
  /** What to run as redis-server. Default: the one that is found. */
  readonly binary?: string
}

/** The mapping of replies is a type parameter of the client, and no test asks for another than the usual one. */
type ClientOptions = Omit<RedisOptions, 'replyMapping'>

/** A Redis of one test file, on a port and in a folder that stay the same when it is restarted. */
export interface TestRedis {
  readonly url: string
  readonly port: number
  /** Of the process that runs now: another one after a restart. */
  readonly pid: number
  /** A new connection, closed by `close`. It reconnects, and keeps quiet about connections that were cut. */
  client(options?: ClientOptions): Redis
  /** SIGSTOP: connections stay open and nothing is answered. */
  freeze(): void
  thaw(): void
  /** SIGKILL; returns when the process is gone. */
  kill(): Promise<void>
  /** Starts it again, after a `kill` or instead of the one that runs; what append-only files hold is loaded. */
  restart(): Promise<void>
  close(): Promise<void>
}

export async function startTestRedis({ appendfsync, args = [], binary }: TestRedisOptions = {}): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'sift-run-updater-test-'))
  const persistence = appendfsync === undefined ? [] : ['--appendonly', 'yes', '--appendfsync', appendfsync]
  const serverArgs = [...persistence, ...args]
  const clients: Redis[] = []
  const settings = { dir, args: serverArgs, ...(binary !== undefined && { binary }) }
  let server: RedisServer = await startRedisServer(settings)
  const { url, port } = server

  return {
    url,
    port,
    get pid() {
      return server.pid
    },
    client(options = {}) {
      const client = new Redis(url, options)
      client.on('error', () => {})
      clients.push(client)
      return client
    },
    freeze() {
      process.kill(server.pid, 'SIGSTOP')
    },
    thaw() {
      process.kill(server.pid, 'SIGCONT')
    },
    async kill() {
      process.kill(server.pid, 'SIGKILL')
      await server.exited
    },
    async restart() {
      await server.close()
      server = await startRedisServer({ ...settings, port })
    },
    async close() {
      for (const client of clients) client.disconnect()
      await server.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
