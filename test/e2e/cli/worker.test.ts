import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Simulator, startSimulator } from '../../../src/simulator/simulator.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type Env, runCommand, startCommand, updateLine } from './command.js'
import { startOldRedis } from './old-redis.js'

let redis: TestRedis
let simulator: Simulator
let env: Env

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(async () => {
  await redis.close()
})
beforeEach(async () => {
  await redis.client().flushall()
  simulator = await startSimulator({ createRuns: true, apiKey: 'the-api-key' })
  env = { REDIS_URL: redis.url, SIFT_REST_URL: simulator.url, SIFT_API_KEY: 'the-api-key' }
  return () => simulator.close()
})

const enqueue = (input: string) => runCommand(['enqueue'], { env, input })

test('enqueue and then worker --drain bring a run to Sift, without waiting for the window', async () => {
  env = { ...env, COALESCE_WINDOW_MS: '3600000' }
  await enqueue(updateLine('r1', { name: 'a' }) + updateLine('r1', { description: 'b' }))
  const { code, stdout } = await runCommand(['worker', '--drain'], { env })
  expect(stdout).toMatch(/^worker ready: lane run-updates, Redis redis:\/\/127.0.0.1:\d+, Sift http/)
  expect(stdout).toContain('drained')
  expect(code).toBe(0)
  expect(simulator.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(1)
  expect(simulator.runs.get('r1')).toMatchObject({ name: 'a', description: 'b' })
})

test('worker --drain ends with 0 where dead letters were written', async () => {
  simulator.setFaults({ deny: new Set(['denied']) })
  await enqueue(updateLine('denied', { name: 'a' }) + updateLine('fine', { name: 'b' }))
  expect((await runCommand(['worker', '--drain'], { env })).code).toBe(0)
  const { stdout } = await runCommand(['status', '--json'], { env })
  expect(JSON.parse(stdout)).toMatchObject({
    pendingRuns: 0,
    deadLetters: { total: 1, byReason: { permission_denied: 1 } },
  })
})

test('worker --drain tells that it waits for a hold, and ends with 1 when its time is over', async () => {
  await enqueue(updateLine('r1', { name: 'a' }))
  await runCommand(['lane', 'hold', '--why', 'maintenance'], { env })
  const { code, stderr } = await runCommand(['worker', '--drain', '--timeout', '2'], { env })
  expect(stderr).toContain('the lane is held (operator) until an operator opens it')
  expect(stderr).toContain('not drained within 2 s; 1 run still pending')
  expect(code).toBe(1)
})

test('worker --drain ends with 1 at once where the queue is paused', async () => {
  await enqueue(updateLine('r1', { name: 'a' }))
  const queue = new Queue('run-updates', { connection: redis.client(), prefix: '{sift}' })
  await queue.pause()
  const { code, stderr } = await runCommand(['worker', '--drain'], { env })
  await queue.close()
  expect(stderr).toContain('error: the queue is paused')
  expect(code).toBe(1)
})

test('worker --drain ends with 3 where Redis is away', async () => {
  const { code, stderr } = await runCommand(['worker', '--drain'], {
    env: { ...env, REDIS_URL: 'redis://127.0.0.1:1' },
  })
  expect(stderr).toContain("can't be reached")
  expect(code).toBe(3)
})

test('worker --drain ends with 3 where Redis goes away midway', async () => {
  await enqueue(Array.from({ length: 100 }, (_, index) => updateLine(`r${index}`, { name: 'a' })).join(''))
  const command = startCommand(['worker', '--drain'], { ...env, RATE_LIMIT_MAX: '10' })
  await simulator.next('request')
  await redis.kill()
  try {
    const { code, stderr } = await command.ended
    expect(stderr).toMatch(/^error: trouble with Redis/m)
    expect(code).toBe(3)
  } finally {
    await redis.restart()
  }
})

test.each(['SIGTERM', 'SIGINT'] as const)('a worker ends with 0 on %s, and its secrets are nowhere', async (signal) => {
  const client = redis.client()
  await client.config('SET', 'requirepass', 'the-password')
  await client.auth('the-password')
  try {
    const command = startCommand(['worker'], {
      ...env,
      REDIS_URL: redis.url.replace('//', '//:the-password@'),
      LOG_LEVEL: 'trace',
    })
    await command.told('stdout', 'worker ready')
    command.process.kill(signal)
    const { code, stdout, stderr } = await command.ended
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(stdout + stderr).not.toMatch(/the-password|the-api-key/)
  } finally {
    await client.config('SET', 'requirepass', '')
  }
})

test('a worker with a wrong password of Redis ends with 3, and never tells which', async () => {
  const client = redis.client()
  await client.config('SET', 'requirepass', 'the-password')
  await client.auth('the-password')
  try {
    const wrong = redis.url.replace('//', '//:another-password@')
    const { code, stdout, stderr } = await runCommand(['worker'], {
      env: { ...env, REDIS_URL: wrong, LOG_LEVEL: 'trace' },
    })
    expect(stderr).toContain('WRONGPASS')
    expect(stdout + stderr).not.toContain('another-password')
    expect(code).toBe(3)
  } finally {
    await client.config('SET', 'requirepass', '')
  }
})

test('a second signal does not wait for the request in flight, which stays pending', async () => {
  simulator.setFaults({ latencyMs: 60_000 })
  const command = startCommand(['worker'], { ...env, COALESCE_WINDOW_MS: '0', REQUEST_TIMEOUT_MS: '30000' })
  await command.told('stdout', 'worker ready')
  const asked = simulator.next('request')
  await enqueue(updateLine('r1', { name: 'a' }))
  await asked
  command.process.kill('SIGTERM')
  await command.told('stderr', 'a second signal cuts them')
  const signalled = performance.now()
  command.process.kill('SIGTERM')
  expect((await command.ended).code).toBe(0)
  expect(performance.now() - signalled).toBeLessThan(3_000)
  const { stdout } = await runCommand(['status', '--json'], { env })
  expect(JSON.parse(stdout).pendingRuns).toBe(1)
})

test('a worker waits for a Redis that is away, tells so once, and starts when it is there', async () => {
  await redis.kill()
  const command = startCommand(['worker'], env)
  await command.told('stderr', 'Redis is away')
  await redis.restart()
  await command.told('stdout', 'worker ready')
  await command.told('stderr', 'Redis is back')
  expect(command.stderr.match(/Redis is away/g)).toHaveLength(1)
  command.process.kill('SIGTERM')
  expect((await command.ended).code).toBe(0)
})

test('a worker ends with 0 on SIGTERM also where Redis has never been there', async () => {
  const command = startCommand(['worker'], { ...env, REDIS_URL: 'redis://127.0.0.1:1' })
  await command.told('stderr', 'Redis is away')
  command.process.kill('SIGTERM')
  expect((await command.ended).code).toBe(0)
})

test('a worker ends with 0 on SIGTERM, before a container is killed, also where Redis has gone', async () => {
  const command = startCommand(['worker'], env)
  await command.told('stdout', 'worker ready')
  await redis.kill()
  const signalled = performance.now()
  command.process.kill('SIGTERM')
  expect((await command.ended).code).toBe(0)
  expect(performance.now() - signalled).toBeLessThan(10_000)
  await redis.restart()
})

test('a worker refuses a Redis older than 6.2', async () => {
  const old = await startOldRedis()
  try {
    const { code, stderr } = await runCommand(['worker'], { env: { ...env, REDIS_URL: old.url } })
    expect(stderr).toContain('error: Redis is of version 6.0.16, and at least 6.2 is needed')
    expect(code).toBe(2)
  } finally {
    await old.close()
  }
})

test('a worker refuses a lane of a newer layout', async () => {
  await redis.client().set('{sift}:run-updates.schema', '99')
  const { code, stderr } = await runCommand(['worker'], { env })
  expect(stderr).toContain('layout version 99')
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(code).toBe(2)
})

test('a worker warns of a Redis that evicts', async () => {
  const forgetful = await startTestRedis({ args: ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'] })
  try {
    const { code, stderr } = await runCommand(['worker', '--drain'], { env: { ...env, REDIS_URL: forgetful.url } })
    expect(stderr).toContain('set maxmemory-policy to noeviction')
    expect(code).toBe(0)
  } finally {
    await forgetful.close()
  }
})

test('a job of another program is failed with a sentence, told, and does not stop the others', async () => {
  const queue = new Queue('run-updates', { connection: redis.client(), prefix: '{sift}' })
  const job = await queue.add('foreign', {}, { jobId: 'somebody-elses' })
  await enqueue(updateLine('r1', { name: 'a' }))
  const { code, stderr } = await runCommand(['worker', '--drain'], { env })
  expect(stderr).toContain('a job of another program')
  expect(code).toBe(0)
  expect(await job.getState()).toBe('failed')
  expect(simulator.runs.get('r1')).toMatchObject({ name: 'a' })
  await queue.close()
})

test('the API key of a file is used, and a file that is not there is a mistake of configuration', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sift-run-updater-key-'))
  const file = join(dir, 'key')
  const { SIFT_API_KEY: _key, ...withoutKey } = env
  try {
    await writeFile(file, 'the-api-key\n')
    await enqueue(updateLine('r1', { name: 'a' }))
    expect((await runCommand(['worker', '--drain', '--sift-api-key-file', file], { env: withoutKey })).code).toBe(0)
    expect(simulator.runs.has('r1')).toBe(true)
    const missing = await runCommand(['worker', '--sift-api-key-file', `${file}-not`], { env: withoutKey })
    expect(missing.stderr).toContain("error: the API key's file cannot be read")
    expect(missing.code).toBe(2)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
