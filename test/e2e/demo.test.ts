import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Figures } from '../../src/cli/demo/figures.js'
import { progressBlock, type Snapshot } from '../../src/cli/demo/progress.js'
import { startTestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const SHORT = ['--duration', '3', '--runs', '40']
const LONG = ['--duration', '60', '--runs', '40']

describe('the demo', () => {
  /** The demo's temporary folder: what it leaves lies here, and processes that it leaves have it in their environment. */
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'demo-test-'))
  })

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it('merges thousands of updates into few PATCHes, finds no run that differs, and leaves nothing behind', async () => {
    const { code, stdout } = await end(startDemo([...SHORT, '--json']))
    const figures = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Figures

    expect(figures).toMatchObject({ updates: 6_000, runs: 40, differing: 0, maxInFlightPerRun: 1 })
    expect(figures.patches).toBeLessThan(600)
    expect(figures.deadLetters.total).toBeGreaterThan(0)
    expect(code).toBe(0)
    await expectNothingLeft()
  })

  it('prints its figures as a table that ends with the comparison', async () => {
    const { code, stdout } = await end(startDemo(['--duration', '1', '--runs', '10']))

    expect(stdout).toMatch(/^2,000 updates became \d+ PATCHes\n(?:.*\n)*0 of 10 runs differ\n$/)
    expect(code).toBe(0)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('stops on %s in good order, and leaves nothing behind', async (signal) => {
    const demo = startDemo(LONG)
    await firstProgress(demo)
    demo.kill(signal)
    const { code, stdout } = await end(demo)

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    await expectNothingLeft()
  })

  it('leaves no process and no folder behind when it is killed', async () => {
    const demo = startDemo(LONG)
    await firstProgress(demo)
    demo.kill('SIGKILL')

    await waitFor('everything to be gone', async () => (await left()).length === 0, { timeoutMs: 15_000 })
  })

  it('uses the Redis that REDIS_URL names, and removes its keys from it', async () => {
    const redis = await startTestRedis()
    try {
      const client = redis.client()
      await client.set('somebody-else', 1)
      const { code } = await end(startDemo(['--duration', '1', '--runs', '10'], { REDIS_URL: redis.url }))

      expect(await client.keys('*')).toEqual(['somebody-else'])
      expect(code).toBe(0)
    } finally {
      await redis.close()
    }
  })

  it('ends with 3 where the Redis that REDIS_URL names cannot be reached', async () => {
    const { code, stderr } = await end(startDemo([], { REDIS_URL: 'redis://:secret@127.0.0.1:1' }))

    expect(stderr).toContain("Redis at redis://127.0.0.1:1 can't be reached")
    expect(stderr).not.toContain('secret')
    expect(code).toBe(3)
  })

  function startDemo(options: readonly string[], environment: Record<string, string> = {}): ChildProcess {
    return spawn(process.execPath, [MAIN, 'demo', ...options], {
      // In a folder without a .env file, and with no Redis but the one that the test names.
      cwd: folder,
      env: { ...process.env, REDIS_URL: '', TMPDIR: folder, ...environment },
    })
  }

  /** The shell that would have ended Redis is told by the end of the demo, and needs a moment to end itself. */
  async function expectNothingLeft(): Promise<void> {
    await waitFor('everything to be gone', async () => (await left()).length === 0, { timeoutMs: 5_000 })
  }

  async function left(): Promise<readonly string[]> {
    return [...(await readdir(folder)), ...(await processesWith(`TMPDIR=${folder}`))]
  }
})

describe('the progress of the demo', () => {
  const snapshot: Snapshot = {
    phase: 'sending',
    elapsedMs: 12_345,
    durationMs: 20_000,
    updates: 24_690,
    patches: 588,
    updatesPerSecond: 2_000,
    patchesPerSecond: 49,
    pendingRuns: 187,
    runs: 200,
    failed: 11,
    holds: 1,
    deadLetters: 7,
    lane: { reason: 'rate_limited', remainingMs: 1_200 },
    weather: 'busy, 429 above 13/s',
  }

  it.each([20, 44, 63, 64, 80, 200])('fits into a terminal of %i columns', (columns) => {
    for (const line of progressBlock(snapshot, { columns, hasColors: true })) {
      expect(stripVTControlCharacters(line).length).toBeLessThan(columns)
    }
  })

  it('tells how many updates became one PATCH, and why the lane is held', () => {
    const block = progressBlock(snapshot, { columns: 80, hasColors: false }).join('\n')

    expect(block).toMatch(/updates\/PATCH +42\n/)
    expect(block).toContain('held: rate_limited, 1.2 s left')
  })
})

async function end(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  if (!child.stdout || !child.stderr) throw new TypeError('the output is piped')
  const [[code], stdout, stderr] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}

/** Workers take jobs and updates are coming in. */
async function firstProgress(child: ChildProcess): Promise<void> {
  if (!child.stderr) throw new TypeError('the output is piped')
  for await (const line of createInterface({ input: child.stderr })) if (/^[1-9]\d* s: /.test(line)) return
  throw new Error('the demo ended before it had begun')
}

/** By what they have inherited, since a process whose parent has died can't be found by its parent. */
async function processesWith(setting: string): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // It may have ended since.
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    if (environment.split('\0').includes(setting)) found.push(`process ${pid}`)
  }
  return found
}
