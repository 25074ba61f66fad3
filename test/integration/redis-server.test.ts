import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { findRedisServer, RedisServerNotFoundError } from '../../src/cli/demo/fetch-redis.js'
import { RedisServerFailedError, startRedisServer } from '../../src/cli/demo/redis-server.js'
import { expectNoLeaks } from '../support/leaks.js'
import { startTestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'

expectNoLeaks()

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sift-run-updater-test-'))
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

describe('a server of our own', () => {
  test('answers on loopback, and leaves no process and no folder behind', async () => {
    const server = await startRedisServer()
    const client = new Redis(server.url)
    const dir = await configured(client, 'dir')
    expect(await configured(client, 'bind')).toBe('127.0.0.1')
    client.disconnect()

    await Promise.all([server.close(), server.close()])

    expect(isRunning(server.pid)).toBe(false)
    await expect(access(dir)).rejects.toThrow('ENOENT')
  })

  test('ends at once though it was frozen', async () => {
    const server = await startRedisServer()
    process.kill(server.pid, 'SIGSTOP')
    const start = performance.now()
    await server.close()
    expect(isRunning(server.pid)).toBe(false)
    expect(performance.now() - start).toBeLessThan(2_500)
  })

  test('ends within seconds though it hears no SIGTERM', async () => {
    const server = await startRedisServer()
    const client = new Redis(server.url, { retryStrategy: null })
    client.on('error', () => {})
    await client.ping()
    const endless = client.eval('while true do end', 0).catch(() => {})
    await server.close()
    await endless
    expect(isRunning(server.pid)).toBe(false)
  })

  test('cannot be started as a daemon or on another address', async () => {
    const server = await startRedisServer({ args: ['--daemonize', 'yes', '--bind', '0.0.0.0'] })
    const client = new Redis(server.url)
    expect(await configured(client, 'bind')).toBe('127.0.0.1')
    expect(await configured(client, 'daemonize')).toBe('no')
    client.disconnect()
    await server.close()
  })

  test('dies with a parent that was killed, with its temporary folder', async () => {
    const parent = await spawnParent()
    const client = new Redis(parent.url)
    client.on('error', () => {})
    const dir = await configured(client, 'dir')
    client.disconnect()

    parent.process.kill('SIGKILL')

    await waitFor('the server to end', () => !isRunning(parent.redisPid))
    await waitFor('its folder to be removed', () =>
      access(dir).then(
        () => false,
        () => true,
      ),
    )
  })

  test('does not keep alive a parent that forgot to close it', async () => {
    const parent = await spawnParent()
    parent.process.stdin?.end()
    expect(await once(parent.process, 'exit')).toEqual([0, null])
    await waitFor('the server to end', () => !isRunning(parent.redisPid))
  })

  test('fails with what the server printed, where an argument is wrong', async () => {
    const start = startRedisServer({ args: ['--no-such-argument', 'yes'] })
    await expect(start).rejects.toThrow(RedisServerFailedError)
    await expect(start).rejects.toThrow('no-such-argument')
  })

  test('fails where the binary is missing', async () => {
    await expect(startRedisServer({ binary: join(folder, 'redis-server') })).rejects.toThrow('ENOENT')
  })

  test('fails on a port that was asked for and is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
    await expect(startRedisServer({ port: address.port })).rejects.toThrow('Address already in use')
    other.close()
  })
})

describe('a Redis of a test file', () => {
  test('keeps what is in its append-only file when it is killed and restarted', async () => {
    const redis = await startTestRedis({ appendfsync: 'always' })
    const client = redis.client()
    await client.set('key', 'value')
    const { pid, url } = redis

    await redis.kill()
    await redis.restart()

    expect(redis.url).toBe(url)
    expect(redis.pid).not.toBe(pid)
    expect(await client.get('key')).toBe('value')
    await redis.close()
  })

  test('answers nothing while frozen, and everything once thawed', async () => {
    const redis = await startTestRedis()
    const client = redis.client()
    await client.ping()

    redis.freeze()
    await expect(redis.client({ commandTimeout: 50 }).ping()).rejects.toThrow('timed out')
    const answer = client.ping()
    redis.thaw()

    expect(await answer).toBe('PONG')
    await redis.close()
  })

  test('takes further arguments', async () => {
    const redis = await startTestRedis({ args: ['--maxmemory', '2mb'] })
    expect(await configured(redis.client(), 'maxmemory')).toBe(`${2 * 1024 * 1024}`)
    await redis.close()
  })
})

describe('finding a server', () => {
  beforeEach(() => {
    vi.stubEnv('PATH', folder)
    vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'))
  })

  test('takes valkey-server from the PATH, and redis-server rather than that', async () => {
    await script('valkey-server')
    expect(await findRedisServer()).toBe(join(folder, 'valkey-server'))
    await script('redis-server')
    expect(await findRedisServer()).toBe(join(folder, 'redis-server'))
  })

  test('tells how to get one where there is none and no apt', async () => {
    const search = findRedisServer()
    await expect(search).rejects.toThrow(RedisServerNotFoundError)
    await expect(search).rejects.toThrow(/(docker compose up -d redis|brew install redis)$/)
  })

  test('tells how to get one where apt fails, with its error as the cause', async () => {
    await script('apt-get', 'echo no network >&2; exit 100')
    await expect(findRedisServer()).rejects.toMatchObject({
      code: 'redis_server_not_found',
      cause: { message: expect.stringContaining('no network') },
    })
  })

  test('fetches one by apt, tells its progress, and finds it again without apt', async () => {
    await fakeApt()
    const progress: string[] = []
    const fetched = await findRedisServer((message) => progress.push(message))
    expect(progress).toEqual([
      'Fetching the package lists of this system',
      'Downloading redis-server',
      'Unpacking 1 packages',
    ])
    expect(await versionOf(fetched)).toBe(`fake, with ${dirname(fetched)}/root/usr/lib`)

    await rm(join(folder, 'apt-get'))
    expect(await findRedisServer()).toBe(fetched)
  })

  test('fetches one folder and leaves no other, where several processes fetch at once', async () => {
    await fakeApt()
    const fetched = await Promise.all([findRedisServer(), findRedisServer(), findRedisServer()])
    expect(new Set(fetched).size).toBe(1)
    expect(await readdir(join(folder, 'cache', 'sift-run-updater'))).toHaveLength(1)
  })

  test('fetches anew where the one fetched earlier no longer starts', async () => {
    await fakeApt()
    const fetched = await findRedisServer()
    await writeFile(fetched, '#!/bin/sh\nexit 1\n')
    expect(await findRedisServer()).toBe(fetched)
    expect(await versionOf(fetched)).toContain('fake')
  })

  /** What the two programs do that the fetch relies on: an archive in our folder, and a tree unpacked from it. */
  async function fakeApt(): Promise<void> {
    await script('apt-get', 'case "$*" in *" install "*) echo > "$(dirname "$2")/cache/archives/redis.deb";; esac')
    await script(
      'dpkg-deb',
      'mkdir -p "$3/usr/bin" "$3/usr/lib"; echo > "$3/usr/lib/libfake.so.1"',
      'printf \'#!/bin/sh\\necho "fake, with $LD_LIBRARY_PATH"\\n\' > "$3/usr/bin/redis-server"',
      'chmod +x "$3/usr/bin/redis-server"',
    )
  }

  async function script(name: string, ...lines: string[]): Promise<void> {
    const text = ['#!/bin/sh', 'PATH=/usr/bin:/bin', ...lines, ''].join('\n')
    await writeFile(join(folder, name), text, { mode: 0o755 })
  }
})

async function configured(client: Redis, name: string): Promise<string> {
  const [, value] = (await client.config('GET', name)) as [string, string]
  return value
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function versionOf(binary: string): Promise<string> {
  const { stdout } = await promisify(execFile)(binary, ['--version'])
  return stdout.trim()
}

interface Parent {
  readonly url: string
  readonly redisPid: number
  readonly process: ChildProcess
}

/** A process of its own that starts a server, never closes it, and lives as long as its standard input is open. */
async function spawnParent(): Promise<Parent> {
  const compiler = ['tsc', '--ignoreConfig', '--module', 'nodenext', '--target', 'es2023', '--types', 'node']
  const output = ['--rootDir', 'src', '--outDir', folder, 'src/cli/demo/redis-server.ts']
  await promisify(execFile)('npx', [...compiler, ...output])
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  const program = `
    import { startRedisServer } from '${join(folder, 'cli/demo/redis-server.js')}'
    const { url, pid } = await startRedisServer()
    console.log(JSON.stringify({ url, redisPid: pid }))
    process.stdin.resume()`
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface({ input: parent.stdout }), 'line')
  return { ...JSON.parse(line), process: parent }
}
