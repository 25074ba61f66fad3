import { Queue } from 'bullmq'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Simulator, startSimulator } from '../../../src/simulator/simulator.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type Ended, type Env, runCommand } from './command.js'
import { startOldRedis } from './old-redis.js'

let redis: TestRedis
let simulator: Simulator
let env: Env

beforeAll(async () => {
  redis = await startTestRedis({ appendfsync: 'everysec' })
  simulator = await startSimulator({ apiKey: 'right-key' })
  env = { REDIS_URL: redis.url, SIFT_REST_URL: simulator.url, SIFT_API_KEY: 'right-key' }
})
afterAll(async () => {
  await simulator.close()
  await redis.close()
})

interface Finding {
  readonly check: string
  readonly level: string
  readonly message: string
}

const findings = ({ stdout }: Ended): Finding[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

const levels = (ended: Ended): Record<string, string> =>
  Object.fromEntries(findings(ended).map(({ check, level }) => [check, level]))

test('tells a line each, ends with 0 where all is well, and leaves nothing in Redis', async () => {
  const ended = await runCommand(['check', '--json'], { env })
  expect(levels(ended)).toEqual({
    configuration: 'ok',
    redis: 'ok',
    'redis eviction': 'ok',
    'redis persistence': 'ok',
    layout: 'ok',
    sift: 'ok',
  })
  expect(ended.stdout).toContain('appendfsync everysec')
  expect(ended.code).toBe(0)
  expect(await redis.client().dbsize()).toBe(0)
})

test('is written for people without --json', async () => {
  const { stdout } = await runCommand(['check'], { env })
  expect(stdout).toMatch(/^ok {7}redis: version \d/m)
})

test('fails for a database that Redis does not have, as other commands do', async () => {
  const wrong = { ...env, REDIS_URL: `${redis.url}/99` }
  const ended = await runCommand(['check', '--json'], { env: wrong })
  expect(findings(ended)).toContainEqual({
    check: 'redis',
    level: 'failure',
    message: expect.stringContaining('refuses the database 99 (ERR DB index is out of range)'),
  })
  expect(ended.code).toBe(1)
  expect(await runCommand(['status'], { env: wrong })).toMatchObject({ code: 2 })
  expect(await runCommand(['worker'], { env: wrong })).toMatchObject({ code: 2 })
})

test('fails for an API key that Sift does not know, and never shows it', async () => {
  const ended = await runCommand(['check', '--json'], { env: { ...env, SIFT_API_KEY: 'wrong-key' } })
  expect(levels(ended).sift).toBe('failure')
  expect(ended.stdout + ended.stderr).not.toContain('wrong-key')
  expect(ended.code).toBe(1)
})

test('ends with 3 where Sift is away', async () => {
  const ended = await runCommand(['check', '--json'], { env: { ...env, SIFT_REST_URL: 'http://127.0.0.1:1' } })
  expect(levels(ended)).toMatchObject({ redis: 'ok', sift: 'failure' })
  expect(ended.code).toBe(3)
})

test('ends with 3 where Redis is away, still asks Sift, and never shows the password of Redis', async () => {
  const away = { ...env, REDIS_URL: 'redis://user:secret-word@127.0.0.1:1/2' }
  const ended = await runCommand(['check', '--json'], { env: away })
  expect(levels(ended)).toMatchObject({ redis: 'failure', sift: 'ok' })
  expect(ended.stdout + ended.stderr).not.toContain('secret-word')
  expect(ended.code).toBe(3)
})

test('warns where there is no API key: a producer needs none', async () => {
  const ended = await runCommand(['check', '--json'], { env: { ...env, SIFT_API_KEY: '' } })
  expect(levels(ended).sift).toBe('warning')
  expect(ended.code).toBe(0)
})

test('warns of a Redis that evicts and keeps nothing on disk', async () => {
  const forgetful = await startTestRedis({ args: ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'] })
  try {
    const ended = await runCommand(['check', '--json'], { env: { ...env, REDIS_URL: forgetful.url } })
    expect(levels(ended)).toMatchObject({ 'redis eviction': 'warning', 'redis persistence': 'warning' })
    expect(ended.code).toBe(0)
  } finally {
    await forgetful.close()
  }
})

test('warns of a queue that is paused in BullMQ, by its name', async () => {
  const queue = new Queue('paused-lane', { connection: redis.client(), prefix: '{sift}' })
  await queue.pause()
  await queue.close()
  const ended = await runCommand(['check', '--json', '--queue-name', 'paused-lane'], { env })
  expect(findings(ended)).toContainEqual({
    check: 'queue',
    level: 'warning',
    message: expect.stringMatching(/^paused-lane paused in BullMQ: .* resumed/),
  })
  expect(ended.code).toBe(0)
})

test('fails for a Redis older than 6.2', async () => {
  const old = await startOldRedis()
  try {
    const ended = await runCommand(['check', '--json'], { env: { ...env, REDIS_URL: old.url } })
    expect(levels(ended).redis).toBe('failure')
    expect(ended.stdout).toContain('6.0.16')
    expect(ended.code).toBe(1)
  } finally {
    await old.close()
  }
})

test('fails for a lane of a newer layout', async () => {
  const client = redis.client()
  await client.set('{sift}:other.schema', '99')
  const ended = await runCommand(['check', '--json', '--queue-name', 'other'], { env })
  expect(levels(ended).layout).toBe('failure')
  expect(ended.code).toBe(1)
})
