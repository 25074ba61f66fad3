import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type ServedLane, startServedLane } from './served-lane.js'

const TOKEN = 'a-token-of-the-test'

/** With some room for a busy machine. */
const AT_MOST_MS = 3_500

let redis: TestRedis
let served: ServedLane
let locked: ServedLane
let cookie: string

beforeAll(async () => {
  redis = await startTestRedis()
  served = await startServedLane(redis)
  locked = await startServedLane(redis, { authToken: TOKEN })
  cookie = await signIn()
  await served.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
  redis.freeze()
})
afterAll(async () => {
  redis.thaw()
  await served.close()
  await locked.close()
  await redis.close()
})

test.concurrent.each([
  ['GET', '/v1/status', 503],
  ['GET', '/v1/runs/run-1', 503],
  ['POST', '/v1/runs/run-1/flush', 503],
  ['GET', '/v1/dead-letters', 503],
  ['GET', '/v1/dead-letters/an-id', 503],
  ['POST', '/v1/dead-letters/an-id/retry', 503],
  ['POST', '/v1/lane/open', 503],
  ['GET', '/readyz', 503],
  ['GET', '/dashboard/api/queues', 503],
  ['GET', '/livez', 200],
  // What does not need Redis is told all the same.
  ['GET', '/metrics', 200],
  ['GET', '/', 200],
  ['GET', '/dashboard', 200],
] as const)('while Redis hangs, %s %s is answered within moments, with %i', async (method, path, status) => {
  const start = performance.now()
  const answer = await served.call(method, path)
  expect(answer.status).toBe(status)
  expect(performance.now() - start).toBeLessThan(AT_MOST_MS)
})

test.concurrent.each([
  ['GET', '/v1/status', 503],
  ['POST', '/v1/lane/open', 503],
  ['POST', '/sign-out', 503],
  ['GET', '/', 200],
] as const)('while Redis hangs, a session is let look and change nothing: %s %s, %i', async (method, path, status) => {
  const start = performance.now()
  expect((await locked.call(method, path, undefined, { cookie })).status).toBe(status)
  expect(performance.now() - start).toBeLessThan(AT_MOST_MS)
})

test('while Redis hangs, a forged session is refused', async () => {
  const forged = cookie.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'))
  expect((await locked.call('GET', '/', undefined, { cookie: forged })).status).toBe(401)
})

async function signIn(): Promise<string> {
  const { headers } = await fetch(`${locked.url}/sign-in`, {
    method: 'POST',
    body: new URLSearchParams({ token: TOKEN }),
    redirect: 'manual',
  })
  return headers.get('set-cookie')?.split(';')[0] ?? ''
}
