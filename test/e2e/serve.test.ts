import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, request } from 'undici'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Simulator, startSimulator } from '../../src/simulator/simulator.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'
import { type Env, type Running, runCommand, startCommand } from './cli/command.js'

let redis: TestRedis
let simulator: Simulator
let env: Env

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  await redis.client().flushall()
  simulator = await startSimulator({ createRuns: true, apiKey: 'the-api-key' })
  env = {
    REDIS_URL: redis.url,
    SIFT_REST_URL: simulator.url,
    SIFT_API_KEY: 'the-api-key',
    PORT: '0',
    COALESCE_WINDOW_MS: '50',
  }
})
afterEach(() => simulator.close())

/** Where it listens, once it has told so. */
async function urlOf(serving: Running): Promise<string> {
  await serving.told('stdout', /^serving http/)
  return /^serving (\S+):/.exec(serving.stdout)?.[1] ?? ''
}

test('serve --worker brings an update from HTTP to Sift, and ends with 0 on SIGTERM, its secrets nowhere', async () => {
  const serving = startCommand(['serve', '--worker'], {
    ...env,
    AUTH_TOKEN: 'the-auth-token-of-the-test',
    LOG_LEVEL: 'trace',
  })
  const url = await urlOf(serving)
  expect(serving.stdout).toMatch(
    /^serving http:\/\/127\.0\.0\.1:\d+: lane run-updates, Redis redis:\/\/127.0.0.1:\d+, with a worker: Sift http\S+, 50 requests in 1000 ms\n$/,
  )
  const { statusCode, body } = await request(`${url}/api/v2/runs`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json', authorization: 'Bearer the-auth-token-of-the-test' },
    body: '{"run": {"runId": "run-1", "name": "n"}, "updateMask": "name"}',
  })
  expect([statusCode, await body.json()]).toMatchObject([200, { run: { runId: 'run-1', name: 'n' } }])
  serving.process.kill('SIGTERM')
  const { code, stdout, stderr } = await serving.ended
  expect(code).toBe(0)
  expect(stdout + stderr).not.toMatch(/the-api-key|the-auth-token-of-the-test/)
})

test('serve and enqueue tell a wrong password of Redis at once, and what to correct', async () => {
  const client = redis.client()
  await client.config('SET', 'requirepass', 'right')
  try {
    const wrong = { ...env, REDIS_URL: redis.url.replace('//', '//:another-password@') }
    for (const args of [['serve'], ['enqueue']]) {
      const startedAt = performance.now()
      const { code, stdout, stderr } = await runCommand(args, { env: wrong, input: '{"run":{"runId":"a","name":"n"}}' })
      expect(stderr).toMatch(/WRONGPASS.*Correct the user and password in REDIS_URL/)
      expect(stderr).not.toContain('Check that it runs')
      expect(stdout + stderr).not.toContain('another-password')
      expect(code).toBe(3)
      expect(performance.now() - startedAt).toBeLessThan(3_000)
    }
  } finally {
    await redis.client({ password: 'right' }).config('SET', 'requirepass', '')
  }
})

test('a rolling restart loses no request: not ready first, then drained, then closed', async () => {
  const first = startCommand(['serve'], env)
  const url = await urlOf(first)
  const agent = new Agent()
  const statuses: number[] = []
  let isReady = true
  let isStopping = false
  const feed = async () => {
    for (let i = 0; isReady; i++) {
      const { statusCode, body } = await request(`${url}/v1/updates`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ run: { runId: `run-${i % 20}`, name: `name ${i}` } }),
      })
      await body.dump()
      statuses.push(statusCode)
      if (statuses.length === 200) {
        isStopping = true
        first.process.kill('SIGTERM')
      }
    }
  }
  // As a load balancer does: it looks, and sends no more once it is told so.
  const watch = async () => {
    while (isReady) {
      const { statusCode, body } = await request(`${url}/readyz`)
      await body.dump()
      isReady = statusCode === 200
    }
  }
  await Promise.all([feed(), feed(), feed(), watch()])
  expect(isStopping).toBe(true)
  expect(statuses.filter((status) => status !== 202)).toEqual([])
  expect((await first.ended).code).toBe(0)
  await agent.close()
})

test('no client is cut off by a SIGTERM, however many go on as if there were none', async () => {
  const serving = startCommand(['serve'], env)
  const url = await urlOf(serving)
  const fates: string[] = []
  const feed = async (_: unknown, client: number) => {
    const agent = new Agent({ connections: 1, pipelining: 1 })
    let fate = '202'
    while (fate === '202') {
      fate = await request(`${url}/v1/updates`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ run: { runId: `run-${client}`, name: 'n' } }),
      }).then(
        ({ statusCode, body }) => body.dump().then(() => String(statusCode)),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      )
      fates.push(fate)
    }
    await agent.close()
  }
  const feeding = Array.from({ length: 40 }, feed)
  await waitFor('a few answers', () => fates.length > 400)
  serving.process.kill('SIGTERM')
  await Promise.all(feeding)
  // Each is told by its last request that nobody listens any more.
  expect(fates.filter((fate) => fate !== '202')).toEqual(Array.from({ length: 40 }, () => 'ECONNREFUSED'))
  expect((await serving.ended).code).toBe(0)
})

test('an address that others can reach needs AUTH_TOKEN', async () => {
  const { code, stderr } = await runCommand(['serve'], { env: { ...env, HOST: '0.0.0.0' } })
  expect(stderr).toContain('set AUTH_TOKEN')
  expect(code).toBe(2)
})

test('a token that can be guessed is warned of, with the way to make a better one', async () => {
  const serving = startCommand(['serve'], { ...env, AUTH_TOKEN: 'fifteen-letters' })
  await serving.told('stderr', 'openssl rand -hex 32')
  serving.process.kill('SIGTERM')
  const { code, stdout, stderr } = await serving.ended
  expect(stdout + stderr).not.toContain('fifteen-letters')
  expect(code).toBe(0)
})

test('a port that is taken, and an API key that is missing, are told with 2', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const taken = await runCommand(['serve'], { env: { ...env, PORT: String(port) } })
  expect(taken.stderr).toContain(`127.0.0.1:${port} can't be listened on`)
  expect(taken.code).toBe(2)
  other.close()
  const keyless = await runCommand(['serve', '--worker'], { env: { ...env, SIFT_API_KEY: '' } })
  expect(keyless.code).toBe(2)
})

test('a Redis that is away is told with 3', async () => {
  const { code, stderr } = await runCommand(['serve'], { env: { ...env, REDIS_URL: 'redis://127.0.0.1:1' } })
  expect(stderr).toContain("can't be reached")
  expect(code).toBe(3)
})
