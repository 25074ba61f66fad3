import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type ServedLane, startServedLane } from './served-lane.js'

let redis: TestRedis
let lane: ServedLane

beforeAll(async () => {
  redis = await startTestRedis()
  lane = await startServedLane(redis)
})
afterAll(async () => {
  await lane.close()
  await redis.close()
})

const PATHS = [
  '/v1/updates',
  '/api/v2/runs',
  '/v1/runs/run-1',
  '/v1/runs/run-1/flush',
  '/v1/dead-letters',
  '/v1/dead-letters/retry',
  '/v1/dead-letters/x/retry',
  '/v1/lane/open',
  '/v1/status',
  '/openapi.json',
]

const path = fc.oneof(
  fc.constantFrom(...PATHS),
  fc.tuple(fc.constantFrom(...PATHS), fc.webFragments()).map(([start, rest]) => `${start}/${rest}`),
  fc.tuple(fc.constantFrom(...PATHS), fc.webQueryParameters()).map(([start, query]) => `${start}?${query}`),
  fc.constantFrom(
    '/%',
    '/v1/runs/%zz',
    '/v1/runs/%00',
    '//',
    '/v1/dead-letters/__proto__',
    '/v1/dead-letters?limit=1e9',
  ),
)

const json = fc.oneof(
  fc.json(),
  fc
    .record(
      {
        run: fc.record(
          { runId: fc.string(), name: fc.jsonValue(), metadata: fc.jsonValue(), __proto__: fc.jsonValue() },
          { requiredKeys: [] },
        ),
        updateMask: fc.jsonValue(),
        observedAt: fc.string(),
        source: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    .map((update) => JSON.stringify(update)),
)

const anyRequest = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'),
  path,
  type: fc.constantFrom(
    'application/json',
    'application/x-ndjson',
    'text/plain',
    'application/json; charset=latin1',
    '',
    'x',
  ),
  encoding: fc.constantFrom(undefined, 'gzip', 'deflate', 'x'),
  prefer: fc.oneof(
    fc.constant('respond-async'),
    fc.constant('wait=0'),
    fc.constant('wait=0;x, y="'),
    fc.constant('Wait=0'),
  ),
  body: fc.oneof(
    json,
    json.map((text) => text.slice(0, -1)),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  ),
})

test('whatever a client sends, it is never answered with 500', async () => {
  await fc.assert(
    fc.asyncProperty(anyRequest, async ({ method, path, type, encoding, prefer, body }) => {
      const hasBody = !['GET', 'HEAD', 'OPTIONS'].includes(method)
      const { statusCode, body: answer } = await lane.raw({
        path,
        method,
        headers: {
          'content-type': type,
          prefer,
          ...(encoding !== undefined && hasBody && { 'content-encoding': encoding }),
        },
        ...(hasBody && { body }),
      })
      const text = await answer.text()
      expect(statusCode, text).toBeLessThan(500)
      if (statusCode >= 400 && method !== 'HEAD' && !text.includes('\n'))
        expect(JSON.parse(text)).toHaveProperty('message')
    }),
    { numRuns: 1_500 },
  )
  expect((await lane.call('GET', '/readyz')).status).toBe(200)
})
