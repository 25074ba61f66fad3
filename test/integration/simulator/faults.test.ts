import { describe, expect, test } from 'vitest'
import { type Api, startApi, startApiWithRun } from './api.js'

const rename = (api: Api, name = 'n') => api.patch({ name }, 'name')
const nameOf = ({ simulator }: Api) => simulator.runs.get('run-1')?.name
const lastRequest = ({ simulator }: Api) => simulator.requests.at(-1)

describe('the API is away', () => {
  test('unavailable: 503 with code 14 to every request, and nothing is applied', async () => {
    const api = await startApiWithRun({ faults: { down: 'unavailable' } })
    expect(await rename(api)).toMatchObject({ status: 503, json: { code: 14 } })
    expect(await api.get('/api/v2/runs')).toMatchObject({ status: 503 })
    expect(nameOf(api)).toBe('run-1')
    expect(lastRequest(api)).toMatchObject({ fault: 'down', applied: false })
  })

  test('unreachable: every connection is cut, until that is over', async () => {
    const api = await startApiWithRun({ faults: { down: 'unreachable' } })
    await expect(rename(api)).rejects.toThrow('other side closed')
    expect(nameOf(api)).toBe('run-1')
    expect(lastRequest(api)).toMatchObject({ fault: 'down', applied: false, status: undefined })
    api.simulator.setFaults({ down: undefined })
    expect(await rename(api)).toMatchObject({ status: 200 })
  })

  test('a proxy answers every request with a page', async () => {
    const api = await startApiWithRun({ faults: { html: { status: 502, runs: 'all' } } })
    expect(await rename(api)).toMatchObject({
      status: 502,
      contentType: 'text/html',
      text: expect.stringContaining('<h'),
    })
    expect(await api.get('/api/v2/runs')).toMatchObject({ status: 502 })
    expect(nameOf(api)).toBe('run-1')
  })

  test('a firewall answers one run with a page, and lets the others pass', async () => {
    const api = await startApiWithRun({ faults: { html: { status: 200, runs: new Set(['run-1']) } }, createRuns: true })
    expect(await rename(api)).toMatchObject({ status: 200, contentType: 'text/html', json: undefined })
    expect(nameOf(api)).toBe('run-1')
    expect(await api.patchBody({ run: { runId: 'run-2', name: 'n' }, updateMask: 'name' })).toMatchObject({
      status: 200,
      json: { run: { name: 'n' } },
    })
  })
})

describe('the API turns requests away', () => {
  test('a revoked key is a 401 with an empty body', async () => {
    const api = await startApiWithRun({ faults: { revoked: true } })
    expect(await rename(api)).toMatchObject({ status: 401, text: '' })
    expect(nameOf(api)).toBe('run-1')
  })

  test('a denied run is a 403 with code 7, to read and to change', async () => {
    const api = await startApiWithRun({ faults: { deny: new Set(['run-1']) }, createRuns: true })
    expect(await rename(api)).toMatchObject({ status: 403, json: { code: 7 } })
    expect(await api.get('/api/v2/runs/run-1')).toMatchObject({ status: 403 })
    expect(await api.get('/api/v2/runs/run-2')).toMatchObject({ status: 200 })
    expect(nameOf(api)).toBe('run-1')
  })

  test('above the rate limit it answers 429, applies nothing, and tells the wait in prose only', async () => {
    let now = 0
    const faults = { rateLimit: { max: 2, durationMs: 3000 } }
    const api = await startApiWithRun({ faults, now: () => now })
    const statuses = []
    for (const time of [0, 1000, 1500, 2999, 3000, 3001, 4000]) {
      now = time
      statuses.push((await rename(api, `at ${time}`)).status)
    }
    expect(statuses).toEqual([200, 200, 429, 429, 200, 429, 200])
    now = 4500
    const limited = await api.send('GET', '/api/v2/runs/run-1')
    expect(limited.json).toEqual({ code: 8, message: 'rate limit exceeded, retry after 2 seconds', details: [] })
    expect(nameOf(api)).toBe('at 4000')
  })

  test('a limit of nothing refuses everything', async () => {
    const api = await startApiWithRun({ faults: { rateLimit: { max: 0, durationMs: 1000 } } })
    expect((await rename(api)).json.message).toBe('rate limit exceeded, retry after 1 second')
  })

  test('any update can be made guilty', async () => {
    const api = await startApiWithRun({
      faults: {
        refuse: (runId, mask, run) =>
          runId === 'run-1' && mask.includes('name') && run.name === 'bad'
            ? { code: 11, message: 'a bad name', details: [{ a: 1 }] }
            : undefined,
      },
    })
    const answer = await rename(api, 'bad')
    expect(answer).toMatchObject({ status: 400, json: { code: 11, message: 'a bad name', details: [{ a: 1 }] } })
    expect(lastRequest(api)).toMatchObject({ fault: 'refuse', applied: false })
    expect(await rename(api, 'good')).toMatchObject({ status: 200 })
    expect(nameOf(api)).toBe('good')
  })
})

describe('the API answers with an error', () => {
  test.each([
    [500, 500, 13],
    [503, 503, 14],
    ['aborted', 409, 10],
    ['rateLimited', 429, 8],
  ] as const)('%s: status %i, code %i, never applied', async (kind, status, code) => {
    const api = await startApiWithRun({ faults: { errors: { [kind]: 1 } } })
    for (let index = 0; index < 20; index += 1) {
      expect(await rename(api)).toMatchObject({ status, json: { code } })
    }
    expect(nameOf(api)).toBe('run-1')
    expect(lastRequest(api)).toMatchObject({ fault: 'error', applied: false })
  })

  test.each([
    [499, 1],
    [502, undefined],
    [504, 4],
  ] as const)('%i: half of these are applied', async (status, code) => {
    const api = await startApiWithRun({ faults: { errors: { [status]: 1 } } })
    for (let index = 0; index < 100; index += 1) {
      const answer = await rename(api, `${index}`)
      expect(answer.status).toBe(status)
      expect(answer.json?.code).toBe(code)
      const { applied } = lastRequest(api) ?? {}
      expect(nameOf(api) === `${index}`).toBe(applied)
    }
    expect(api.simulator.counters.applied).toBeGreaterThan(30)
    expect(api.simulator.counters.applied).toBeLessThan(70)
  })

  test('each kind at its rate, the rest unharmed', async () => {
    const api = await startApiWithRun({ faults: { errors: { 503: 0.3, aborted: 0.1 } } })
    for (let index = 0; index < 1000; index += 1) await rename(api)
    const { answered } = api.simulator.counters
    expect(answered[503]).toBeGreaterThan(240)
    expect(answered[503]).toBeLessThan(360)
    expect(answered[409]).toBeGreaterThan(65)
    expect(answered[409]).toBeLessThan(140)
    expect(answered[200]).toBe(1000 - (answered[503] ?? 0) - (answered[409] ?? 0))
  })

  test('the same seed draws the same faults for each run, in whatever order the runs come', async () => {
    const fatesOf = async (seed: number, runIds: readonly string[]) => {
      const api = await startApi({ createRuns: true, seed, faults: { errors: { 503: 0.5 } } })
      const fates: Record<string, number[]> = { 'run-1': [], 'run-2': [] }
      for (const runId of runIds) {
        const { status } = await api.patchBody({ run: { runId, name: 'n' }, updateMask: 'name' })
        fates[runId]?.push(status)
      }
      return fates
    }
    const turns = Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? 'run-1' : 'run-2'))
    const fates = await fatesOf(7, turns)
    expect(await fatesOf(7, turns.toSorted())).toEqual(fates)
    expect(await fatesOf(8, turns)).not.toEqual(fates)
    expect(fates['run-1']).not.toEqual(fates['run-2'])
  })
})

describe('the connection is cut', () => {
  test('before anything is applied', async () => {
    const api = await startApiWithRun({ faults: { cutBeforeRate: 1 } })
    await expect(rename(api)).rejects.toThrow('other side closed')
    expect(nameOf(api)).toBe('run-1')
    expect(lastRequest(api)).toMatchObject({ fault: 'cutBefore', applied: false, status: undefined })
  })

  test('after it was applied, without an answer', async () => {
    const api = await startApiWithRun({ faults: { lostAnswerRate: 1 } })
    await expect(rename(api)).rejects.toThrow('other side closed')
    expect(nameOf(api)).toBe('n')
    expect(lastRequest(api)).toMatchObject({ fault: 'lostAnswer', applied: true, status: undefined })
    expect(api.simulator.counters).toMatchObject({ unanswered: 1, applied: 1, faults: { lostAnswer: 1 } })
  })

  test('after it was applied, in the middle of the answer', async () => {
    const api = await startApiWithRun({ faults: { cutAnswerRate: 1 } })
    await expect(rename(api)).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
    const response = await fetch(`${api.simulator.url}/api/v2/runs/run-1`, {
      headers: { authorization: 'Bearer key' },
    })
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow('terminated')
    expect(nameOf(api)).toBe('n')
    expect(api.simulator.requests[0]).toMatchObject({ fault: 'cutAnswer', applied: true, status: undefined })
  })
})

describe('the API is slow', () => {
  test('latency: applied at once, answered late', async () => {
    const api = await startApiWithRun({ faults: { latencyMs: 80 } })
    const applied = api.simulator.next('applied')
    const answer = rename(api)
    const appliedAt = (await applied).arrivedAt
    expect(nameOf(api)).toBe('n')
    await answer
    expect((lastRequest(api)?.finishedAt ?? 0) - appliedAt).toBeGreaterThanOrEqual(78)
  })

  test('jitter: some answers later than others, by as much at most', async () => {
    const api = await startApiWithRun({ faults: { latencyMs: 10, latencyJitterMs: 60 } })
    for (let index = 0; index < 20; index += 1) await rename(api)
    const latencies = api.simulator.requests.map(({ arrivedAt, finishedAt }) => (finishedAt ?? 0) - arrivedAt)
    expect(Math.min(...latencies)).toBeGreaterThanOrEqual(9)
    expect(Math.max(...latencies) - Math.min(...latencies)).toBeGreaterThan(20)
  })

  test('applied late: even when the client has gone meanwhile, and in flight until then', async () => {
    const api = await startApiWithRun({ faults: { applyLatencyMs: 120 } })
    const client = new AbortController()
    const body = JSON.stringify({ run: { runId: 'run-1', name: 'late' }, updateMask: 'name' })
    const gone = api.simulator.next('finished')
    const arrived = api.simulator.next('request')
    const answer = api.send('PATCH', '/api/v2/runs', { body, signal: client.signal })
    answer.catch(() => undefined)
    const lateRequest = await arrived
    const applied = api.simulator.next('applied', (record) => record === lateRequest)
    client.abort()
    expect(await gone).toMatchObject({ applied: false, status: undefined })
    expect(nameOf(api)).toBe('run-1')
    api.simulator.setFaults({ applyLatencyMs: 0 })
    await rename(api, 'early')
    expect(nameOf(api)).toBe('early')
    expect(await applied).toMatchObject({ applied: true, status: undefined })
    expect(nameOf(api)).toBe('late')
    expect(api.simulator.maxInFlightPerRun()).toBe(2)
  })

  test('every so many-th PATCH is answered so much later, and applied before', async () => {
    const api = await startApiWithRun({ faults: { slow: { every: 3, delayMs: 100 } } })
    for (let index = 0; index < 6; index += 1) {
      await api.get('/api/v2/runs')
      await rename(api)
    }
    const patches = api.simulator.requests.filter(({ method }) => method === 'PATCH')
    expect(patches.map(({ fault }) => fault === 'slow')).toEqual([false, false, true, false, false, true])
    for (const { fault, arrivedAt, finishedAt = 0 } of patches) {
      if (fault === 'slow') expect(finishedAt - arrivedAt).toBeGreaterThanOrEqual(98)
    }
    expect(api.simulator.counters.faults).toEqual({ slow: 2 })
  })
})

test('faults are changed one by one, and the rest stay as they were', async () => {
  const api = await startApiWithRun({ faults: { errors: { 503: 1 }, deny: new Set(['run-2']) } })
  api.simulator.setFaults({ errors: {} })
  expect(await rename(api)).toMatchObject({ status: 200 })
  expect(await api.get('/api/v2/runs/run-2')).toMatchObject({ status: 403 })
})

test.each([
  { lostAnswerRate: 1.1 },
  { cutBeforeRate: -0.1 },
  { cutAnswerRate: Number.NaN },
  { errors: { 503: 0.6, 500: 0.6 } },
  { latencyMs: -1 },
  { applyLatencyMs: Number.POSITIVE_INFINITY },
  { rateLimit: { max: 1, durationMs: 0 } },
  { slow: { every: 0, delayMs: 1 } },
])('a fault that cannot be is refused: %o', async (faults) => {
  const { simulator } = await startApi()
  expect(() => simulator.setFaults(faults)).toThrow(RangeError)
})
