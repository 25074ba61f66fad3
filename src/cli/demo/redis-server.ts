/**
 * A Redis of our own, for the demo and the tests: a child process on a free loopback port, gone when we are gone.
 *
 * It does not outlive us, however we end. A second child, a shell of one line, reads from a pipe whose other end only
 * this process holds. When we die, of SIGKILL too, the kernel closes that end; the shell then sees the end of its input,
 * kills the server and removes its folder. This needs nothing but POSIX (prctl's PR_SET_PDEATHSIG is Linux only, and
 * follows the thread that forked). Both children lead sessions of their own, so that Ctrl-C in a terminal reaches us
 * alone and Redis is still there for an orderly end. Not covered: somebody kills that shell as well.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { SiftRunUpdaterError } from '../../errors.js'
import { findRedisServer } from './fetch-redis.js'

export interface RedisServerOptions {
  /** Path of a redis-server or valkey-server. Default: what `findRedisServer` finds or fetches. */
  readonly binary?: string
  /** Further arguments, as `['--appendonly', 'yes']`. Default: nothing is written to disk. */
  readonly args?: readonly string[]
  /** The folder it works in, kept when it ends. Default: a temporary one, removed when it ends. */
  readonly dir?: string
  /** Default: a free one. */
  readonly port?: number
}

export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Fulfilled when the process has ended, by `close` or of itself, and its temporary folder is gone. */
  readonly exited: Promise<void>
  /** Ends it by SIGTERM; where that takes longer than three seconds, by SIGKILL. May be called again. */
  close(): Promise<void>
}

/** A server that ended before it took connections; the message holds the last lines that it printed. */
export class RedisServerFailedError extends SiftRunUpdaterError {
  readonly code = 'redis_server_failed'
}

/** Another process may take the free port between our look and the server's start. */
const PORT_ATTEMPTS = 5
const CLOSE_TIMEOUT_MS = 3_000
const OUTPUT_LINES_KEPT = 20

/**
 * Starts a server and returns once it takes connections.
 * @throws {RedisServerNotFoundError} where there is none, and none can be fetched
 * @throws {RedisServerFailedError} where it does not start
 */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = options.binary ?? (await findRedisServer())
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort())
    const outcome = await start(binary, port, options)
    if (outcome.started) return outcome.server
    const portWasTaken = options.port === undefined && /address already in use/i.test(outcome.output)
    if (!portWasTaken || attempt === PORT_ATTEMPTS) {
      throw new RedisServerFailedError(`${binary} did not start on port ${port}: ${outcome.output}`)
    }
  }
}

type StartOutcome = { started: true; server: RedisServer } | { started: false; output: string }

async function start(binary: string, port: number, options: RedisServerOptions): Promise<StartOutcome> {
  const isTemporary = options.dir === undefined
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'sift-run-updater-redis-')))
  const child = spawn(binary, redisArguments(port, dir, options.args ?? []), {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const watchdog = killWhenWeDie(child, isTemporary ? dir : undefined)
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve())).then(async () => {
    watchdog?.kill('SIGKILL')
    if (isTemporary) await rm(dir, { recursive: true, force: true })
  })

  const output = readOutput(child)
  const ready = await Promise.race([output.ready, exited.then(() => false)])
  if (!ready || child.pid === undefined) return { started: false, output: output.lines.join('\n') }

  letUsExit(child)
  const server = {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    exited,
    close: () => end(child, exited),
  }
  return { started: true, server }
}

function redisArguments(port: number, dir: string, further: readonly string[]): string[] {
  const defaults = ['--save', '', '--appendonly', 'no']
  // Of an argument given twice Redis takes the last: a caller may ask for persistence, not for another address.
  const fixed = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--daemonize', 'no', '--logfile', '']
  return [...defaults, ...further, ...fixed]
}

function killWhenWeDie(child: ChildProcess, temporaryDir: string | undefined): ChildProcess | undefined {
  if (child.pid === undefined) return undefined
  const script = 'read -r line; kill -9 "$1"; if [ -n "$2" ]; then rm -rf -- "$2"; fi'
  const watchdog = spawn('/bin/sh', ['-c', script, 'sh', `${child.pid}`, temporaryDir ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  letUsExit(watchdog)
  return watchdog
}

interface Output {
  readonly lines: readonly string[]
  readonly ready: Promise<true>
}

/** Reads for as long as the server lives: a full pipe would stop it in the middle of a log line. */
function readOutput(child: ChildProcess): Output {
  const lines: string[] = []
  const keep = (line: string) => {
    lines.push(line)
    if (lines.length > OUTPUT_LINES_KEPT) lines.shift()
  }
  child.once('error', (error) => keep(error.message))
  const ready = new Promise<true>((resolve) => {
    for (const input of [child.stdout, child.stderr]) {
      if (input === null) continue
      createInterface({ input }).on('line', (line) => {
        keep(line)
        // Redis and Valkey both say so, after an append-only file was loaded.
        if (line.includes('Ready to accept connections')) resolve(true)
      })
    }
  })
  return { lines, ready }
}

/** A server that nobody closed must not keep this process alive. */
function letUsExit(child: ChildProcess): void {
  child.unref()
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    if (stream instanceof Socket) stream.unref()
  }
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.ref()
  child.kill('SIGTERM')
  // One that was stopped by SIGSTOP hears of SIGTERM only now.
  child.kill('SIGCONT')
  const deadline = setTimeout(() => child.kill('SIGKILL'), CLOSE_TIMEOUT_MS)
  await exited
  clearTimeout(deadline)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}
