import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type ServedLane, startServedLane } from './served-lane.js'

let redis: TestRedis
let lane: ServedLane

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  lane = await startServedLane(redis)
})
afterEach(() => lane.close())

const get = async (path: string) => {
  const answer = await lane.call('GET', path)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const post = async (path: string, body?: unknown) => {
  const answer = await lane.call('POST', path, body)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

/** Makes one dead letter a run. */
async function refuse(...runIds: string[]): Promise<void> {
  lane.simulator.setFaults({ deny: new Set(runIds) })
  lane.addWorker()
  await lane.producer.enqueueMany(runIds.map((runId) => ({ run: { runId, name: 'n' }, source: 'tests' })))
  await lane.drained()
}

describe('runs', () => {
  test('tell what is pending, and are sent on demand', async () => {
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'n' }, source: 'tests' })
    expect(await get('/v1/runs/run-1')).toMatchObject({
      status: 200,
      body: {
        pending: { fields: [{ path: 'name', value: 'n', source: 'tests' }] },
        lastSent: null,
        applied: {},
        deadLetters: [],
      },
    })
    expect((await post('/v1/runs/run-1/flush')).body).toEqual({
      runId: 'run-1',
      result: expect.stringMatching(/hastened|on_its_way/),
    })
    expect((await post('/v1/runs/run-2/flush', {})).body).toEqual({ runId: 'run-2', result: 'nothing_pending' })
  })

  test('are told to wait where their queue is paused, and go once it is resumed', async () => {
    await lane.flushQueue.queue.pause()
    lane.addWorker()
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    expect((await post('/v1/runs/run-1/flush')).body).toEqual({
      runId: 'run-1',
      result: expect.stringMatching(/hastened|on_its_way/),
      queuePaused: true,
      message: expect.stringContaining('before it is resumed'),
    })
    await lane.flushQueue.queue.resume()
    await lane.drained()
  })

  test.each(['a%20b', 'x'.repeat(129), '%2e%2e%2fetc'])(
    'with an id that is none are answered with 400: %s',
    async (id) => {
      expect(await get(`/v1/runs/${id}`)).toMatchObject({ status: 400, body: { code: 3 } })
    },
  )
})

describe('dead letters', () => {
  test('are listed by filter, with their cause', async () => {
    await refuse('a', 'b')
    expect(await get('/v1/dead-letters?run=a&source=tests&reason=permission_denied')).toMatchObject({
      status: 200,
      body: {
        total: 1,
        deadLetters: [{ runId: 'a', updateMask: 'name', reason: 'permission_denied', httpStatus: 403 }],
      },
    })
    expect((await get('/v1/dead-letters?limit=1')).body).toMatchObject({ total: 2, deadLetters: [expect.anything()] })
    expect((await get('/v1/dead-letters?olderThan=1h')).body).toMatchObject({ total: 0 })
  })

  test('are shown, retried and discarded one by one', async () => {
    await refuse('a', 'b')
    const [a, b] = (await get('/v1/dead-letters')).body.deadLetters as { id: string }[]
    expect(await get(`/v1/dead-letters/${a?.id}`)).toMatchObject({ status: 200, body: { tries: [expect.any(String)] } })
    lane.simulator.setFaults({ deny: new Set() })
    expect((await post(`/v1/dead-letters/${a?.id}/retry`)).body).toMatchObject({ id: a?.id, result: 'redriven' })
    expect((await post(`/v1/dead-letters/${b?.id}/discard`)).body).toEqual({ id: b?.id, result: 'discarded' })
    await lane.drained()
    expect((await get('/v1/dead-letters')).body).toEqual({ total: 0, deadLetters: [] })
    for (const verb of ['retry', 'discard']) {
      expect((await post(`/v1/dead-letters/${a?.id}/${verb}`)).status).toBe(404)
    }
  })

  test('are retried by filter, and discarded all at once', async () => {
    await refuse('a', 'b', 'c')
    lane.simulator.setFaults({ deny: new Set() })
    expect((await post('/v1/dead-letters/retry', { run: 'a' })).body).toMatchObject({
      results: [{ result: 'redriven' }],
      left: 0,
    })
    expect((await post('/v1/dead-letters/discard', { all: true })).body.results).toHaveLength(2)
    expect((await get('/v1/dead-letters')).body).toMatchObject({ total: 0 })
  })

  test.each([
    {},
    { all: true, run: 'a' },
    { ids: [] },
    { ids: ['a'], all: true },
    { olderThan: 'soon' },
    { what: 1 },
    [],
    undefined,
  ])('are not changed where it is not said which: %o', async (body) => {
    expect(await post('/v1/dead-letters/discard', body)).toMatchObject({ status: 400, body: { code: 3 } })
  })
})

describe('the lane', () => {
  test('tells its state, and is held and opened by hand', async () => {
    expect((await post('/v1/lane/hold', { why: 'maintenance' })).status).toBe(200)
    expect((await get('/v1/status')).body).toMatchObject({ throttle: { state: 'held', reason: 'operator' } })
    expect((await post('/v1/lane/open')).body).toEqual({ state: 'open', wasClosed: true })
    expect((await get('/v1/status')).body).toMatchObject({ pendingRuns: 0, throttle: { state: 'open' } })
    expect(await post('/v1/lane/hold', { why: ' ' })).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('why') },
    })
  })
})

describe('health', () => {
  test('is ready, and loads the scripts that Redis has forgotten', async () => {
    await redis.client().script('FLUSH')
    expect(await get('/readyz')).toEqual({ status: 200, body: { status: 'ready' } })
  })

  test('is not ready while Sift refuses the API key', async () => {
    lane.simulator.setApiKey('another')
    lane.addWorker()
    const held = new Promise((resolve) => lane.simulator.on('finished', resolve))
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await held
    await expect
      .poll(() => get('/readyz'))
      .toMatchObject({ status: 503, body: { why: expect.stringContaining('API key') } })
  })

  test('is not ready once it is about to close, and still serves', async () => {
    lane.stopServing()
    expect((await get('/readyz')).status).toBe(503)
    const answer = await lane.call('POST', '/v1/updates', { run: { runId: 'run-1', name: 'n' } })
    expect([answer.status, answer.headers.get('connection')]).toEqual([202, 'close'])
  })
})

test.each([
  { path: '/v1/updates', type: 'text/plain', taken: ['application/json', 'application/x-ndjson'] },
  { path: '/v1/lane/hold', type: 'text/plain', taken: ['application/json'] },
  { path: '/v1/lane/hold', type: undefined, taken: ['application/json'] },
])('a body of the type $type is told what $path takes', async ({ path, type, taken }) => {
  const { statusCode, headers, body } = await lane.raw({
    method: 'POST',
    path,
    headers: { ...(type !== undefined && { 'content-type': type }) },
    body: 'why',
  })
  expect([statusCode, headers.accept]).toEqual([415, taken.join(', ')])
  const { message } = (await body.json()) as { message: string }
  expect(message).toBe(`the body is of ${type ? `the type ${type}` : 'no type'}; it must be ${taken.join(' or ')}`)
})

describe('the description', () => {
  test('is an OpenAPI document with every field of an update', async () => {
    const { body } = await get('/openapi.json')
    expect(body).toMatchObject({ openapi: '3.1.0' })
    const text = JSON.stringify(body.components)
    for (const field of ['runId', 'startTime', 'metadata', 'isArchived', 'updateMask', 'observedAt']) {
      expect(text).toContain(`"${field}"`)
    }
  })

  test('is a page for people, that asks no other host', async () => {
    const answer = await lane.call('GET', '/docs')
    const html = await answer.text()
    expect(answer.headers.get('content-type')).toContain('text/html')
    expect(html).toContain('PATCH /api/v2/runs')
    expect(html).toContain('Answers: 200, 202, 400, 401, 403, 404, 408, 409, 413, 415, 429, 501, 503, default')
    expect(html).toContain('<a href="#shape-Error">Error</a>')
    for (const [, name] of html.matchAll(/href="#(shape-\w+)"/g)) expect(html).toContain(`id="${name}"`)
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
    expect((await lane.call('GET', '/assets/page.css')).status).toBe(200)
  })
})

test('metrics are served', async () => {
  const text = await (await lane.call('GET', '/metrics')).text()
  expect(text).toContain('sift_run_updater_')
})
