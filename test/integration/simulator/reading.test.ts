import { describe, expect, test } from 'vitest'
import { startApi, startApiWithRun } from './api.js'

const list = (query: Record<string, string>) => `/api/v2/runs?${new URLSearchParams(query)}`

describe('one run', () => {
  test('is read by its id, encoded or not', async () => {
    const { simulator, get } = await startApiWithRun()
    simulator.createRun('a b/c', { description: 'd' })
    expect((await get('/api/v2/runs/run-1')).json.run.runId).toBe('run-1')
    expect((await get('/api/v2/runs/a%20b%2Fc')).json.run.description).toBe('d')
  })

  test('that is unknown is a 404 with code 5', async () => {
    const { get } = await startApi()
    expect(await get('/api/v2/runs/nope')).toMatchObject({ status: 404, json: { code: 5, details: [] } })
  })

  test('that is archived is read all the same', async () => {
    const { simulator, get } = await startApi()
    simulator.createRun('run-1', { isArchived: true })
    expect((await get('/api/v2/runs/run-1')).json.run.isArchived).toBe(true)
  })
})

describe('the list of runs', () => {
  test('is found by client key or run id, in either kind of quotes', async () => {
    const { simulator, get } = await startApi()
    simulator.createRun('run-1', { clientKey: 'flight-42' })
    simulator.createRun('run-2', { clientKey: "o'neill" })
    const found = async (filter: string) =>
      (await get(list({ filter }))).json.runs.map((run: { runId: string }) => run.runId)
    expect(await found("client_key == 'flight-42'")).toEqual(['run-1'])
    expect(await found('client_key=="flight-42"')).toEqual(['run-1'])
    expect(await found("run_id == 'run-2'")).toEqual(['run-2'])
    expect(await found("client_key == 'o\\'neill'")).toEqual(['run-2'])
    expect(await found("client_key == 'nope'")).toEqual([])
  })

  test.each(["name == 'n'", "client_key != 'k'", "client_key == 'a' || run_id == 'b'", 'client_key == k', 'nonsense'])(
    'refuses a filter that it cannot read: %s',
    async (filter) => {
      const { get } = await startApi()
      expect(await get(list({ filter }))).toMatchObject({ status: 400, json: { code: 3 } })
    },
  )

  test.each([{ pageSize: '-1' }, { pageSize: 'ten' }, { pageToken: 'nope' }])(
    'refuses a page that it cannot read: %o',
    async (query) => {
      const { get } = await startApi()
      expect(await get(list(query))).toMatchObject({ status: 400, json: { code: 3 } })
    },
  )

  test('comes in pages that together hold each run once, archived ones left out', async () => {
    const { simulator, get } = await startApi()
    for (let index = 0; index < 7; index += 1) simulator.createRun(`run-${index}`, { isArchived: index === 3 })
    const pages: string[][] = []
    let pageToken = ''
    do {
      const { json } = await get(list({ pageSize: '3', pageToken }))
      pages.push(json.runs.map((run: { runId: string }) => run.runId))
      pageToken = json.nextPageToken
    } while (pageToken !== '')
    expect(pages).toEqual([
      ['run-0', 'run-1', 'run-2'],
      ['run-4', 'run-5', 'run-6'],
    ])
  })

  test('holds 50 runs a page by default and 1,000 at most', async () => {
    const { simulator, get } = await startApi()
    for (let index = 0; index < 1001; index += 1) simulator.createRun(`run-${index}`)
    expect((await get('/api/v2/runs')).json.runs).toHaveLength(50)
    expect((await get(list({ pageSize: '5000' }))).json.runs).toHaveLength(1000)
  })
})

describe('the way in', () => {
  test('is closed to a missing or wrong API key, with 401 and code 16', async () => {
    const { simulator, send } = await startApiWithRun({ apiKey: 'secret' })
    const status = async (authorization: string) =>
      (await send('GET', '/api/v2/runs/run-1', { headers: { authorization } })).status
    expect(await status('Bearer secret')).toBe(200)
    expect(await status('Bearer wrong')).toBe(401)
    expect(await status('secret')).toBe(401)
    expect(await send('GET', '/api/v2/runs')).toMatchObject({ status: 401, json: { code: 16 } })
    simulator.setApiKey('new')
    expect(await status('Bearer secret')).toBe(401)
    expect(await status('Bearer new')).toBe(200)
    simulator.setApiKey(undefined)
    expect(await status('Bearer any')).toBe(200)
    expect(await status('')).toBe(401)
  })

  test.each([
    ['GET', '/', 404, 5],
    ['GET', '/api/v1/runs', 404, 5],
    ['GET', '/api/v2/runs/', 404, 5],
    ['GET', '/api/v2/runs/a/b', 404, 5],
    ['PATCH', '/api/v2/runs/run-1', 501, 12],
    ['DELETE', '/api/v2/runs/run-1', 501, 12],
    ['POST', '/api/v2/runs', 501, 12],
    ['GET', '/api/v2/runs/%zz', 400, 3],
  ] as const)('answers %s %s with %i and code %i', async (method, path, status, code) => {
    const { send } = await startApiWithRun()
    expect(await send(method, path)).toMatchObject({ status, json: { code, details: [] } })
  })

  test('is shut to a port that is taken', async () => {
    const { simulator } = await startApi()
    await expect(startApi({ port: simulator.port })).rejects.toThrow('EADDRINUSE')
  })
})
