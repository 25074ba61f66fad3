import { connect as connectSocket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseRunUpdate } from '../../../src/run/parse.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { loadVectors } from '../../support/vectors.js'
import { Described } from './described.js'
import { type ServedLane, startServedLane } from './served-lane.js'

const TOKEN = 'a-token-of-the-test'
const BEARER = { authorization: `Bearer ${TOKEN}` }
const JSON_HEADERS = { ...BEARER, 'content-type': 'application/json' }
const NDJSON_HEADERS = { ...BEARER, 'content-type': 'application/x-ndjson' }

let redis: TestRedis
let open: ServedLane
let lane: ServedLane
let described: Described

beforeAll(async () => {
  redis = await startTestRedis()
  open = await startServedLane(redis, { bodyTimeoutMs: 300 })
  lane = await startServedLane(redis, { authToken: TOKEN })
  described = new Described(await (await lane.call('GET', '/openapi.json', undefined, BEARER)).json())
})
afterAll(async () => {
  await Promise.all([open.close(), lane.close()])
  await redis.close()
})

const pathOf = (name: string) => (name.split(' ')[1] ?? '').replace('{runId}', 'run-1').replace('{id}', 'an-id')
const takesBody = (name: string) => !name.startsWith('GET ')
const guarded = () => described.operations.filter(([, { security }]) => security?.length !== 0).map(([name]) => name)

test('it is an OpenAPI 3.1 document', async () => {
  await described.expectOpenApi31()
})

test('every operation has described answers, one of them a success, and says whether it asks for the token', () => {
  for (const [name, { responses, security }] of described.operations) {
    expect(
      Object.keys(responses).some((status) => status.startsWith('2')),
      name,
    ).toBe(true)
    for (const { description, content } of Object.values(responses)) {
      expect(description, name).not.toMatch(/^(Default Response)?$/)
      for (const { schema } of Object.values(content ?? {})) expect(schema, name).not.toEqual({})
      expect(Object.keys(content ?? {}), name).not.toEqual([])
    }
    expect(security, name).toEqual(/livez|readyz/.test(name) ? [] : [{ token: [] }])
  }
})

test('an update may come as lines, and a PATCH may say what it prefers', () => {
  const { '/v1/updates': updates, '/api/v2/runs': runs } = described.document.paths
  expect(Object.keys(updates?.post?.requestBody?.content ?? {})).toEqual(['application/json', 'application/x-ndjson'])
  expect(runs?.patch?.parameters).toMatchObject([{ in: 'header', name: 'prefer' }])
})

test('a body is required but where it may be left out', () => {
  const optional = described.operations.filter(([, { requestBody }]) => requestBody?.required === false)
  expect(optional.map(([name]) => name)).toEqual(['POST /v1/lane/open'])
})

test('an update that the parser takes is one by the document, and a key that is unknown is refused by both', () => {
  const place = ['components', 'schemas', 'UpdateInput']
  const updates = loadVectors('parse').cases.flatMap(({ input }) => (parseRunUpdate(input).ok ? [input] : []))
  // Proto names are told in words.
  const canonical = updates.filter((update) => !/"[a-z]+_[a-z_]+":/.test(JSON.stringify(update)))
  expect(canonical.length).toBeGreaterThan(20)
  for (const update of canonical) expect(described.errorsOf(place, update), JSON.stringify(update)).toEqual([])
  for (const update of [
    { run: { runId: 'a', name: 'n' }, what: 1 },
    { run: { runId: 'a', name: 'n', what: 1 } },
    { run: { runId: 'a', metadata: [{ key: { name: 'k', what: 1 }, stringValue: 'v' }] } },
  ]) {
    expect(parseRunUpdate(update).ok).toBe(false)
    expect(described.errorsOf(place, update)).not.toEqual([])
  }
})

test('what the server answers is what the document says, and all of it', async () => {
  await askForSuccesses()
  await askWhatSiftRefuses()
  await askWithoutRight()
  await askWithBadBodies()
  await askWithoutRedis()
  for (const [name, { responses }] of described.operations) {
    const statuses = Object.keys(responses).filter((status) => status !== 'default')
    expect([...(described.answered.get(name) ?? [])].sort(), name).toEqual(statuses.sort())
  }
}, 60_000)

const ask = (name: string, path = pathOf(name), body?: unknown, headers: Record<string, string> = {}) =>
  described.ask(lane.url, name, path, {
    headers: { ...(body === undefined ? BEARER : JSON_HEADERS), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })

const patch = (fields: object, runId: string, prefer = 'wait=10') =>
  ask('PATCH /api/v2/runs', '/api/v2/runs', { run: { runId, ...fields } }, { prefer })

async function askForSuccesses(): Promise<void> {
  const updates = [{ run: { runId: 'a', name: 'n' }, source: 'tests' }, { run: { runId: 'b' } }, 7]
  await ask('POST /v1/updates', '/v1/updates', updates)
  await ask('POST /v1/updates', '/v1/updates', updates[1])
  for (const lines of [updates, updates.slice(1)]) {
    const body = lines.map((line) => JSON.stringify(line)).join('\n')
    await described.ask(lane.url, 'POST /v1/updates', '/v1/updates', { headers: NDJSON_HEADERS, body })
  }
  await ask('GET /v1/runs/{runId}', '/v1/runs/a')
  await ask('POST /v1/runs/{runId}/flush', '/v1/runs/a/flush')
  await ask('GET /v1/status')
  for (const path of ['/livez', '/readyz', '/metrics']) await ask(`GET ${path}`)
  await ask('POST /v1/lane/hold', '/v1/lane/hold', { why: 'a test' })
  await ask('GET /v1/status')
  await ask('POST /v1/lane/open')
  await patch({ name: 'n' }, 'run-1', 'respond-async')
  lane.addWorker()
  await patch({ name: 'm' }, 'run-1')
}

async function askWhatSiftRefuses(): Promise<void> {
  for (const code of [5, 6, 7, 11, 12] as const) {
    lane.simulator.setFaults({ refuse: () => ({ code, message: 'refused' }) })
    await patch({ name: 'n' }, `refused-${code}`)
  }
  lane.simulator.setFaults({ refuse: undefined })
  await patch({ clientKey: 'first' }, 'run-1')
  await lane.drained()
  await ask('GET /v1/runs/{runId}', '/v1/runs/refused-5')
  await ask('GET /v1/dead-letters')
  const [a, b, c] = await lane.deadLetters.ids()
  const [retry, discard] = ['POST /v1/dead-letters/retry', 'POST /v1/dead-letters/discard']
  await ask('GET /v1/dead-letters/{id}', `/v1/dead-letters/${a}`)
  await ask('POST /v1/dead-letters/{id}/retry', `/v1/dead-letters/${a}/retry`)
  await ask('POST /v1/dead-letters/{id}/discard', `/v1/dead-letters/${b}/discard`)
  await ask(retry, pathOf(retry), { ids: [c, 'missing'] })
  await ask(discard, pathOf(discard), { all: true })
  for (const [name] of described.operations.filter(([name]) => name.includes('{id}'))) await ask(name)
}

async function askWithoutRight(): Promise<void> {
  for (const name of guarded()) {
    await described.ask(lane.url, name, pathOf(name))
    await described.ask(open.url, name, pathOf(name), { headers: { host: 'elsewhere.example' } })
  }
  const wrong = { headers: { authorization: 'Bearer wrong' } }
  for (let tries = 0; tries < 100; tries++) await described.ask(lane.url, 'GET /v1/status', '/v1/status', wrong)
  for (const name of guarded()) await described.ask(lane.url, name, pathOf(name), wrong)
}

async function askWithBadBodies(): Promise<void> {
  const large = Buffer.alloc(17 * 1024 * 1024, ' ')
  const names = guarded()
  for (const name of names.filter(takesBody)) {
    await described.ask(lane.url, name, pathOf(name), { headers: JSON_HEADERS, body: '{' })
    await described.ask(lane.url, name, pathOf(name), { headers: JSON_HEADERS, body: large })
    await described.ask(lane.url, name, pathOf(name), {
      headers: { ...BEARER, 'content-type': 'text/plain' },
      body: 'a',
    })
  }
  await Promise.all(names.filter(takesBody).map(askSlowly))
  for (const name of names.filter((name) => name.includes('{'))) {
    await described.ask(lane.url, name, pathOf(name).replace(/run-1|an-id/, '%zz'), { headers: BEARER })
    await described.ask(lane.url, name, pathOf(name).replace(/run-1|an-id/, 'x'.repeat(600)), { headers: BEARER })
  }
  await ask('GET /v1/dead-letters', '/v1/dead-letters?limit=x')
}

/** A body of which only the first byte comes. */
async function askSlowly(name: string): Promise<void> {
  const socket = connectSocket(Number(new URL(open.url).port), '127.0.0.1')
  const [method = '', template = ''] = name.split(' ')
  socket.write(
    `${method} ${pathOf(name)} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`,
  )
  const text = String(await new Promise((resolve) => socket.once('data', resolve)))
  socket.destroy()
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const [line = '', ...headers] = head.split('\r\n')
  described.compare(
    [method, template],
    line.split(' ')[1] ?? '',
    Object.fromEntries(headers.map((header) => header.toLowerCase().split(': ') as [string, string])),
    body,
  )
}

async function askWithoutRedis(): Promise<void> {
  const own = await startTestRedis()
  const served = await startServedLane(own)
  await own.kill()
  const bodies: Record<string, unknown> = {
    'POST /v1/updates': { run: { runId: 'a', name: 'n' } },
    'PATCH /api/v2/runs': { run: { runId: 'a', name: 'n' } },
    'POST /v1/lane/hold': { why: 'a test' },
    'POST /v1/dead-letters/retry': { ids: ['a'] },
    'POST /v1/dead-letters/discard': { ids: ['a'] },
  }
  for (const [name] of described.operations) {
    const body = bodies[name]
    await described.ask(served.url, name, pathOf(name), {
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }
  await own.restart()
  await served.close()
  await own.close()
}
