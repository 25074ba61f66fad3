import { Queue } from 'bullmq'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Simulator, startSimulator } from '../../../src/simulator/simulator.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type Env, runCommand, startCommand, updateLine } from './command.js'

let redis: TestRedis
let simulator: Simulator
let env: Env

beforeAll(async () => {
  redis = await startTestRedis()
  simulator = await startSimulator({ createRuns: true })
  env = {
    REDIS_URL: redis.url,
    SIFT_REST_URL: simulator.url,
    SIFT_API_KEY: 'k',
    COALESCE_WINDOW_MS: '3600000',
    RATE_LIMIT_MAX: '10',
  }
})
afterAll(async () => {
  await simulator.close()
  await redis.close()
})
beforeEach(async () => {
  await redis.client().flushall()
})

async function run(...args: string[]) {
  const ended = await runCommand(args, { env })
  expect(ended.stderr).toBe('')
  expect(ended.code).toBe(0)
  return ended.stdout
}

const json = async (...args: string[]) => JSON.parse(await run(...args, '--json'))

const enqueue = (input: string) => runCommand(['enqueue'], { env, input })

test('status --json has its exact shape, and nothing in an empty lane', async () => {
  expect(await json('status')).toEqual({
    pendingRuns: 0,
    oldestPendingAgeMs: 0,
    drainEstimateMs: 0,
    jobs: { waiting: 0, delayed: 0, active: 0, failed: 0, completed: 0 },
    deadLetters: { total: 0, byReason: {} },
    throttle: { state: 'open', reason: null, since: null, until: null },
  })
})

test('status tells what is pending, and how long sending it takes at the rate', async () => {
  await enqueue(updateLine('r1', { name: 'a' }) + updateLine('r2', { name: 'a' }))
  expect(await json('status')).toMatchObject({ pendingRuns: 2, drainEstimateMs: 200, jobs: { delayed: 2 } })
  expect(await run('status')).toContain('2 runs, the oldest for')
})

test('status --watch --json tells a line a second, until SIGINT', async () => {
  const command = startCommand(['status', '--watch', '--json'], env)
  await command.told('stdout', /\n.*\n/)
  command.process.kill('SIGINT')
  expect((await command.ended).code).toBe(0)
})

test('lane hold closes the lane with a reason, lane open opens it, and both tell what they did', async () => {
  expect(await run('lane', 'hold', '--why', 'moving house')).toContain('is held')
  expect((await json('status')).throttle).toEqual({
    state: 'held',
    reason: 'operator',
    since: expect.stringMatching(/^\d{4}-.*Z$/),
    until: null,
  })
  expect(await run('status')).toContain('moving house')
  expect(await run('lane', 'open')).toContain('is open again')
  expect(await run('lane', 'open', '--accept', 'run_not_found')).toContain('was open already')
  expect((await json('status')).throttle.state).toBe('open')
})

test('run tells field by field what is pending, and what was sent once it was', async () => {
  const update = {
    run: { runId: 'r1', name: 'a', stopTime: null },
    updateMask: 'name,stopTime',
    source: 'edge-7',
    observedAt: '2026-03-01T10:00:00.123456Z',
  }
  await enqueue(`${JSON.stringify(update)}\n`)
  const { pending } = await json('run', 'r1')
  expect(pending).toMatchObject({
    updates: 1,
    failures: 0,
    leasedUntil: null,
    fields: [
      { path: 'name', value: 'a', observedAt: '2026-03-01T10:00:00.123456Z', source: 'edge-7', redrives: 0 },
      { path: 'stopTime', value: null },
    ],
  })
  expect(await run('run', 'r1')).toContain('(cleared)')
  await runCommand(['worker', '--drain'], { env })
  expect(await json('run', 'r1')).toMatchObject({
    pending: null,
    lastSent: { status: 200, updateMask: 'name,stopTime' },
    applied: {
      name: { observedAt: '2026-03-01T10:00:00.123456Z', sequence: expect.any(Number) },
      stopTime: { observedAt: '2026-03-01T10:00:00.123456Z' },
    },
    deadLetters: [],
  })
})

test('run tells all that was applied where a refused field had to be searched for, not the last request alone', async () => {
  expect(await json('run', 'r8')).toMatchObject({ lastSent: null, applied: {} })
  await enqueue(updateLine('r8', { name: 'd', startTime: '2026-03-01T11:00:00Z', stopTime: '2026-03-01T10:00:00Z' }))
  await runCommand(['worker', '--drain'], { env })
  const { applied, deadLetters } = await json('run', 'r8')
  expect(Object.keys(applied)).toEqual(['name', 'startTime'])
  expect(deadLetters).toMatchObject([{ updateMask: 'stopTime' }])
  expect(await run('run', 'r8')).toMatch(/^Applied so far: name \(observed \S+Z\), startTime \(observed \S+Z\)$/m)
})

test('run tells the dead letters of that run and of no other', async () => {
  simulator.setFaults({ deny: new Set(['denied', 'denied-too']) })
  await enqueue(updateLine('denied', { name: 'a' }) + updateLine('denied-too', { name: 'a' }))
  await runCommand(['worker', '--drain'], { env })
  simulator.setFaults({ deny: new Set() })
  const { deadLetters } = await json('run', 'denied')
  expect(deadLetters).toMatchObject([{ runId: 'denied', reason: 'permission_denied', updateMask: 'name' }])
  expect(await run('run', 'denied')).toContain('permission_denied')
})

test('flush sends a run without waiting for its window', async () => {
  await enqueue(updateLine('r1', { name: 'a' }))
  expect(await json('flush', 'r1')).toEqual({ runId: 'r1', result: 'hastened' })
  expect(await json('status')).toMatchObject({ jobs: { waiting: 1, delayed: 0 } })
  expect(await run('flush', 'r1')).toBe('Run r1 is on its way already.\n')
  expect(await run('flush', 'r2')).toBe('Run r2 has nothing pending.\n')
})

test('flush gives a run a new job whose job is missing', async () => {
  await enqueue(updateLine('r1', { name: 'a' }))
  const client = redis.client()
  const jobs = await client.keys('{sift}:run-updates:*')
  await client.del(...jobs)
  expect(await json('flush', 'r1')).toEqual({ runId: 'r1', result: 'reopened' })
  expect(await json('status')).toMatchObject({ pendingRuns: 1, jobs: { waiting: 1 } })
})

test('flush --all sends every run, and tells how many', async () => {
  expect(await run('flush', '--all')).toBe('Nothing is pending.\n')
  await enqueue(updateLine('r1', { name: 'a' }) + updateLine('r2', { name: 'a' }))
  expect(await run('flush', '--all')).toBe('2 runs sent now, 0 on their way already.\n')
})

test('what somebody says of a hold does nothing to the terminal of who reads it', async () => {
  await run('lane', 'hold', '--why', 'moving \u001b]0;owned\u0007\u001b[2Jhouse\nnow')
  expect(await run('status')).toContain('moving house now')
})

test('run names the key where a person has put something else', async () => {
  await redis.client().set('{sift}:run-updates.pending:r-odd', 'garbage')
  const { code, stderr } = await runCommand(['run', 'odd'], { env })
  expect(stderr).toContain('delete or rename {sift}:run-updates.pending:r-odd')
  expect(code).toBe(1)
})

test('flush says that a hold is not passed by', async () => {
  await enqueue(updateLine('r1', { name: 'a' }))
  await run('lane', 'hold', '--why', 'test')
  const { code, stderr } = await runCommand(['flush', 'r1'], { env })
  expect(stderr).toBe('The lane is held (operator): nothing is sent before it opens.\n')
  expect(code).toBe(0)
})

test('flush and status say that the queue is paused', async () => {
  const queue = new Queue('run-updates', { connection: redis.client(), prefix: '{sift}' })
  await enqueue(updateLine('r1', { name: 'a' }))
  expect(await run('status')).not.toContain('paused')
  await queue.pause()
  expect(await run('status')).toMatch(/queue +│ paused/)
  const { code, stdout, stderr } = await runCommand(['flush', 'r1'], { env })
  expect(stdout).toBe('Run r1 is sent once the queue is resumed.\n')
  expect(stderr).toMatch(/^The queue is paused in BullMQ: nothing is sent before it is resumed/)
  expect(code).toBe(0)
  const again = await runCommand(['flush', 'r1', '--json'], { env })
  expect(JSON.parse(again.stdout)).toEqual({ runId: 'r1', result: 'on_its_way', queuePaused: true })
  const all = await runCommand(['flush', '--all'], { env })
  expect(all.stdout).toBe('0 runs to be sent once the queue is resumed, 1 on their way already.\n')
  await queue.resume()
  await queue.close()
  expect(await run('flush', 'r1')).toBe('Run r1 is on its way already.\n')
})

test('the simulator tells its URL once it is ready, plays the faults asked for, and ends with 0', async () => {
  const command = startCommand(['simulator', '--port', '0', '--api-key', 'k', '--error-rate', '1', '--create-runs'])
  await command.told('stdout', 'simulator ready: http://127.0.0.1:')
  const url = command.stdout.trim().split(' ').at(-1) ?? ''
  const ask = (key: string) => fetch(`${url}/api/v2/runs`, { headers: { authorization: `Bearer ${key}` } })
  expect((await ask('wrong')).status).toBe(401)
  expect([500, 503]).toContain((await ask('k')).status)
  const taken = await runCommand(['simulator', '--port', new URL(url).port])
  expect(taken.stderr).toContain('choose another with --port')
  expect(taken.code).toBe(2)
  command.process.kill('SIGTERM')
  expect((await command.ended).code).toBe(0)
})
