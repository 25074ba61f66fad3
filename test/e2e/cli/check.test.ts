import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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
    'redis memory': 'ok',
    'redis writes': 'ok',
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

test('fails for a replica, which takes no writes', async () => {
  const replica = await startTestRedis({ args: ['--replicaof', '127.0.0.1', `${redis.port}`] })
  try {
    const ended = await runCommand(['check', '--json'], { env: { ...env, REDIS_URL: replica.url } })
    expect(findings(ended)).toContainEqual({
      check: 'redis writes',
      level: 'failure',
      message: 'Redis is a replica and takes no writes; name its primary',
    })
    expect(levels(ended)).toMatchObject({ redis: 'ok', layout: 'ok', sift: 'ok' })
    expect(ended.code).toBe(1)
  } finally {
    await replica.close()
  }
})

describe('a user of few rights', () => {
  /** What is told to a user of these rights. */
  async function checkWith(...rights: string[]): Promise<Ended> {
    await redis.client().call('ACL', 'SETUSER', 'few', 'reset', 'on', '>word', '&*', ...rights)
    const url = redis.url.replace('redis://', 'redis://few:word@')
    return await runCommand(['check', '--json'], { env: { ...env, REDIS_URL: url } })
  }
  const messageOf = (ended: Ended, name: string) => findings(ended).find(({ check }) => check === name)?.message

  const cases: readonly (readonly [lacks: string, rights: readonly string[], named: string])[] = [
    ['scripts', ['~*', '+@all', '-@scripting'], 'Redis refuses SCRIPT LOAD, EVAL, EVALSHA (NOPERM '],
    ['writes', ['~*', '+@all', '-@write'], 'Redis refuses SET in EVAL, SET in EVALSHA ('],
    ['the keys of the lane', ['~other:*', '+@all'], 'on the keys {sift}:* (ACL)'],
  ]
  test.each(cases)('that lacks %s fails, and is told what', async (_lacks, rights, named) => {
    const ended = await checkWith(...rights)
    expect(levels(ended)).toMatchObject({ redis: 'ok', 'redis writes': 'failure', sift: 'ok' })
    expect(messageOf(ended, 'redis writes')).toContain(named)
    expect(ended.code).toBe(1)
  })

  test('that may not ask for settings is warned of what is not seen', async () => {
    const ended = await checkWith('~*', '+@all', '-config')
    expect(levels(ended)).toMatchObject({ redis: 'ok', 'redis persistence': 'warning', 'redis writes': 'ok' })
    expect(messageOf(ended, 'redis persistence')).toContain("can't be looked at")
    expect(ended.code).toBe(0)
  })

  test('that lacks INFO is told so by a line of ours, and the rest is looked at', async () => {
    const ended = await checkWith('~*', '+@all', '-info')
    expect(levels(ended)).toEqual({
      configuration: 'ok',
      redis: 'warning',
      'redis writes': 'failure',
      layout: 'ok',
      sift: 'ok',
    })
    expect(messageOf(ended, 'redis writes')).toContain('Redis refuses INFO (NOPERM ')
    expect(ended.stderr).toBe('')
  })
})

test('warns from MAX_REDIS_MEMORY_PERCENT on, and fails for a Redis that is full', async () => {
  const small = await startTestRedis({ args: ['--maxmemory', '50mb', '--maxmemory-policy', 'noeviction'] })
  try {
    const smallEnv = { ...env, REDIS_URL: small.url }
    expect(levels(await runCommand(['check', '--json'], { env: smallEnv }))['redis memory']).toBe('ok')
    const short = await runCommand(['check', '--json', '--max-redis-memory-percent', '1'], { env: smallEnv })
    expect(levels(short)['redis memory']).toBe('warning')
    expect(short.stdout).toContain('enqueue refuses new runs')
    expect(short.code).toBe(0)
    await small.client().config('SET', 'maxmemory', '100kb')
    const full = await runCommand(['check', '--json'], { env: smallEnv })
    expect(levels(full)['redis memory']).toBe('failure')
    expect(full.code).toBe(1)
  } finally {
    await small.close()
  }
})

test('an answer of many lines stays on one', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(403).end(JSON.stringify({ code: 7, message: 'not you\n  nor anyone', details: [] }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const { stdout } = await runCommand(['check'], { env: { ...env, SIFT_REST_URL: `http://127.0.0.1:${port}` } })
  server.close()
  expect(stdout).toMatch(/^failure {2}sift: http:\S+ not you nor anyone \(403\)$/m)
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
