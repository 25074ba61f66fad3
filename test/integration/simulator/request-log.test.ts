import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Delays } from '../../../src/simulator/delays.js'
import type { RequestRecord } from '../../../src/simulator/request-log.js'
import { startSimulator } from '../../../src/simulator/simulator.js'
import { startApi, startApiWithRun } from './api.js'

describe('the log', () => {
  test('tells what was asked, what was answered, and when', async () => {
    let now = 1000
    const api = await startApiWithRun({ now: () => now })
    api.simulator.on('applied', () => {
      now += 5
    })
    const body = { run: { runId: 'run-1', name: 'n', tags: ['t'] }, updateMask: 'name,tags' }
    await api.patchBody(body)
    await api.get('/api/v2/runs/run-1?x=1')
    await api.get('/api/v2/runs')
    await api.send('PATCH', '/api/v2/runs', { body: 'nonsense' })
    await expect.poll(() => api.simulator.requests.at(-1)?.finishedAt).toBe(1005)
    const rest = { runId: undefined, mask: undefined, body: undefined, applied: false, fault: undefined }
    const late = { arrivedAt: 1005, finishedAt: 1005 }
    expect(api.simulator.requests).toEqual([
      {
        ...rest,
        method: 'PATCH',
        path: '/api/v2/runs',
        runId: 'run-1',
        mask: 'name,tags',
        body,
        status: 200,
        applied: true,
        arrivedAt: 1000,
        finishedAt: 1005,
      },
      { ...rest, ...late, method: 'GET', path: '/api/v2/runs/run-1?x=1', runId: 'run-1', status: 200 },
      { ...rest, ...late, method: 'GET', path: '/api/v2/runs', status: 200 },
      { ...rest, ...late, method: 'PATCH', path: '/api/v2/runs', status: 400 },
    ])
  })

  test('holds the latest ones only, and counts them all', async () => {
    const api = await startApiWithRun({ requestLimit: 5 })
    for (let index = 0; index < 23; index += 1) await api.patch({ name: `${index}` }, 'name')
    const names = api.simulator.requests.map(({ body }) => (body as { run: { name: string } }).run.name)
    expect(names).toEqual(['18', '19', '20', '21', '22'])
    expect(api.simulator.counters).toEqual({
      received: 23,
      applied: 23,
      answered: { 200: 23 },
      unanswered: 0,
      faults: {},
    })
  })

  test('knows a request whose body never came', async () => {
    const { simulator } = await startApi()
    const finished = simulator.next('finished')
    const socket = connect(simulator.port, '127.0.0.1')
    socket.end('PATCH /api/v2/runs HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{"run":')
    expect(await finished).toMatchObject({ body: undefined, runId: undefined, status: undefined, applied: false })
    expect(simulator.maxInFlightPerRun()).toBe(0)
  })
})

describe('events', () => {
  test('come in order, each with the request', async () => {
    const api = await startApiWithRun()
    const seen: string[] = []
    const note = (event: string) => (record: RequestRecord) =>
      void seen.push(`${event} ${record.runId} ${record.applied} ${record.status}`)
    for (const event of ['request', 'applied', 'finished'] as const) api.simulator.on(event, note(event))
    const finished = api.simulator.next('finished')
    await api.patch({ name: 'n' }, 'name')
    await finished
    expect(seen).toEqual(['request run-1 false undefined', 'applied run-1 true undefined', 'finished run-1 true 200'])
  })

  test('stop when nobody listens any more', async () => {
    const api = await startApiWithRun()
    const seen: RequestRecord[] = []
    const stop = api.simulator.on('request', (record) => seen.push(record))
    await api.patch({ name: 'n' }, 'name')
    stop()
    await api.patch({ name: 'n' }, 'name')
    expect(seen).toHaveLength(1)
  })

  test('are waited for by what they say', async () => {
    const api = await startApi({ createRuns: true })
    const second = api.simulator.next('applied', ({ runId }) => runId === 'run-2')
    for (const runId of ['run-1', 'run-2', 'run-3']) {
      await api.patchBody({ run: { runId, name: 'n' }, updateMask: 'name' })
    }
    expect((await second).runId).toBe('run-2')
  })

  test('let a test change the faults just before a request is judged', async () => {
    const api = await startApiWithRun()
    api.simulator.on('request', () => api.simulator.setFaults({ errors: { 503: 1 } }))
    expect(await api.patch({ name: 'n' }, 'name')).toMatchObject({ status: 503 })
  })
})

describe('PATCHes of one run that are open at once', () => {
  test('are one, when each waits for the answer before', async () => {
    const api = await startApiWithRun()
    for (let index = 0; index < 200; index += 1) await api.patch({ name: `${index}` }, 'name')
    expect(api.simulator.maxInFlightPerRun()).toBe(1)
  })

  test('are counted for each run alone', async () => {
    const api = await startApi({ createRuns: true, faults: { latencyMs: 30 } })
    const runIds = ['run-1', 'run-2', 'run-2', 'run-3', 'run-2']
    await Promise.all(runIds.map((runId) => api.patchBody({ run: { runId, name: 'n' }, updateMask: 'name' })))
    expect(api.simulator.maxInFlightPerRun()).toBe(3)
  })

  test('are not those of which the connection has gone', async () => {
    const api = await startApiWithRun({ faults: { lostAnswerRate: 1 } })
    for (let index = 0; index < 3; index += 1) await api.patch({ name: 'n' }, 'name').catch(() => undefined)
    expect(api.simulator.counters.unanswered).toBe(3)
    expect(api.simulator.maxInFlightPerRun()).toBe(1)
  })

  test('are open from their arrival, though the body comes later', async () => {
    const api = await startApiWithRun()
    const body = JSON.stringify({ run: { runId: 'run-1', name: 'n' }, updateMask: 'name' })
    const socket = connect(api.simulator.port, '127.0.0.1')
    socket.write(
      `PATCH /api/v2/runs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer k\r\ncontent-length: ${body.length}\r\n\r\n`,
    )
    await expect.poll(() => api.simulator.requests.length).toBe(1)
    await api.patch({ name: 'n' }, 'name')
    const finished = api.simulator.next('finished')
    socket.end(body)
    await finished
    expect(api.simulator.maxInFlightPerRun()).toBe(2)
  })
})

test('the peak is of any one second, not of a whole one on the clock', async () => {
  let now = 0
  const api = await startApi({ now: () => now })
  for (const time of [0, 600, 700, 900, 1500, 1599, 1600, 1700, 5000]) {
    now = time
    await api.get('/api/v2/runs')
  }
  expect(api.simulator.peakPerSecond()).toBe(5)
})

test('closing cuts what is open and applies nothing more', async () => {
  const simulator = await startSimulator({ createRuns: true, faults: { applyLatencyMs: 40 } })
  const arrived = simulator.next('request')
  const answer = fetch(`${simulator.url}/api/v2/runs`, {
    method: 'PATCH',
    headers: { authorization: 'Bearer key' },
    body: JSON.stringify({ run: { runId: 'run-1', name: 'n' }, updateMask: 'name' }),
  })
  answer.catch(() => undefined)
  await arrived
  await simulator.close()
  await expect(answer).rejects.toThrow()
  await new Delays().wait(60)
  expect(simulator.counters.applied).toBe(0)
})
