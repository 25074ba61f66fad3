import { execFile } from 'node:child_process'
import { connect as connectSocket } from 'node:net'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { Agent, request } from 'undici'
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
  lane = await startServedLane(redis, { bodyTimeoutMs: 300 })
})
afterEach(() => lane.close())

const post = (body: unknown) => lane.call('POST', '/v1/updates', body)
const update = (runId: string, fields: object = { name: 'n' }) => ({ run: { runId, ...fields } })

function postLines(body: string | Buffer | Readable, headers: Record<string, string> = {}) {
  return request(`${lane.url}/v1/updates`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...headers },
    body,
  })
}

const readLines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('updates as JSON', () => {
  test('one update is answered with 202 and its result', async () => {
    const answer = await post(update('run-1'))
    expect([answer.status, await answer.json()]).toMatchObject([
      202,
      { results: [{ status: 'accepted', runId: 'run-1', generation: expect.any(String) }] },
    ])
  })

  test('a list is answered item by item, in order, and a bad one does not stop the rest', async () => {
    const answer = await post([update('a'), update('b', { name: 5 }), 7, update('c')])
    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({
      results: [
        { status: 'accepted', runId: 'a' },
        { status: 'rejected', runId: 'b', error: { code: 'invalid_value', path: 'run.name' } },
        { status: 'rejected', runId: null, error: { code: 'missing_run' } },
        { status: 'accepted', runId: 'c' },
      ],
    })
  })

  test('nothing of which was taken is answered with 400, and where it is wrong', async () => {
    const answer = await post(update('run-1', { stopTime: 'soon' }))
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { code: 3, results: [{ error: { path: 'run.stopTime' } }] },
    ])
  })

  test('an overloaded lane is told with 503 and Retry-After', async () => {
    const full = await startServedLane(redis, { maxPendingRuns: 1 })
    await full.producer.enqueue({ run: { runId: 'first', name: 'n' } })
    const answer = await full.call('POST', '/v1/updates', [update('a'), update('b')])
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect((await full.call('POST', '/v1/updates', [update('a'), update('first')])).status).toBe(202)
    await full.close()
  })

  test.each([
    { what: 'no JSON', status: 400, body: '{"run":', type: 'application/json' },
    { what: 'not UTF-8', status: 400, body: Buffer.from([0x22, 0xff, 0x22]), type: 'application/json' },
    { what: 'of another type', status: 415, body: 'run=1', type: 'application/x-www-form-urlencoded' },
    {
      what: 'larger than 16 MiB',
      status: 413,
      body: Buffer.alloc(16 * 1024 * 1024 + 1, ' '),
      type: 'application/json',
    },
    {
      what: 'one update of more than 64 KiB',
      status: 413,
      body: JSON.stringify(update('a', { name: 'n'.repeat(65_536) })),
      type: 'application/json',
    },
    { what: 'a list without end', status: 413, body: `[${'1,'.repeat(100_000)}1]`, type: 'application/json' },
    { what: 'nested without end', status: 400, body: '['.repeat(1_000_000), type: 'application/json' },
    {
      what: 'nested for 14 MB',
      status: 400,
      body: `${'['.repeat(7_000_000)}${']'.repeat(7_000_000)}`,
      type: 'application/json',
    },
  ])('a body that is $what is answered with $status', async ({ status, body, type }) => {
    const { statusCode, body: answer } = await request(`${lane.url}/v1/updates`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
    expect([statusCode, await answer.json()]).toMatchObject([status, { code: 3, message: expect.any(String) }])
  })

  test('only brackets outside of strings nest, and what nests too deep is told by its place', async () => {
    const post = async (body: string) =>
      (
        await fetch(`${lane.url}/v1/updates`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      ).json()
    expect(await post(`{"run":{"runId":"a","name":"\\"${'['.repeat(2_000)}"}}`)).toMatchObject({
      results: [{ status: 'accepted' }],
    })
    expect(await post(`${'["\\\\", '.repeat(1_001)}`)).toMatchObject({
      message: 'the body is nested deeper than 1000 levels, at byte 7000',
      details: [{ reason: 'INVALID_VALUE' }],
    })
    const deep = `{"run":{"runId":"b","metadata":${'['.repeat(500)}${']'.repeat(500)}}}`
    expect(await post(`[${deep},{"run":{"runId":"a","name":"n"}}]`)).toMatchObject({
      results: [
        { status: 'rejected', error: { code: 'invalid_value', path: 'run.metadata.0' } },
        { status: 'accepted' },
      ],
    })
  })

  test.each([
    ['application/json; charset=utf-16', 415],
    ['application/json; charset="ISO-8859-1"', 415],
    ['application/x-ndjson;charset=utf-16le', 415],
    ['application/json; charset=UTF-8', 202],
    ['application/json; charset="utf-8"', 202],
    ['application/x-ndjson; charset=us-ascii', 202],
  ])('a body of the type %s is answered with %d', async (type, status) => {
    const { statusCode, body } = await request(`${lane.url}/v1/updates`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: JSON.stringify(update('run-1')),
    })
    await body.dump()
    expect(statusCode).toBe(status)
  })

  test.each(['Identity', 'IDENTITY'])('a body that is encoded as %s is one that is not', async (encoding) => {
    expect((await lane.call('POST', '/v1/updates', update('a'), { 'content-encoding': encoding })).status).toBe(202)
  })

  test('a client that reads its answer only once it has sent all is told of a body that is too large', async () => {
    const script = `
import sys, urllib.request, urllib.error
request = urllib.request.Request(sys.argv[1], b" " * (17 << 20), {"Content-Type": "application/json"})
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.code)
`
    const { stdout } = await promisify(execFile)('python3', ['-c', script, `${lane.url}/v1/updates`])
    expect(stdout.trim()).toBe('413')
  })

  test('a body of more than 16 MiB whose length nobody told is answered with 413', async () => {
    const chunks = Readable.from(Array.from({ length: 17 }, () => Buffer.alloc(1024 * 1024, ' ')))
    const { statusCode, body } = await request(`${lane.url}/v1/updates`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: chunks,
    })
    await body.dump()
    expect(statusCode).toBe(413)
  })

  test('a body that comes drop by drop is answered with 408', async () => {
    const socket = connectSocket(Number(new URL(lane.url).port), '127.0.0.1')
    socket.write(
      'POST /v1/updates HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
    )
    const [head] = String(await new Promise((resolve) => socket.once('data', resolve))).split('\r\n')
    expect(head).toBe('HTTP/1.1 408 Request Timeout')
    socket.destroy()
  })

  test('a body that is cut off takes nothing in, and the server goes on', async () => {
    const socket = connectSocket(Number(new URL(lane.url).port), '127.0.0.1')
    socket.end(
      'POST /v1/updates HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"run"',
    )
    await new Promise((resolve) => socket.resume().once('close', resolve))
    expect((await post(update('run-1'))).status).toBe(202)
  })
})

describe('updates as lines', () => {
  test('each line is answered by one, in order, with a summary at the end', async () => {
    const lines = [JSON.stringify(update('a')), '', 'no JSON', `"${'x'.repeat(70_000)}"`, JSON.stringify(update('b'))]
    const { statusCode, body } = await postLines(lines.join('\n'))
    expect(statusCode).toBe(202)
    expect(readLines(await body.text())).toMatchObject([
      { line: 1, status: 'accepted', runId: 'a' },
      { line: 3, status: 'rejected', error: { code: 'invalid_json' } },
      { line: 4, status: 'rejected', error: { code: 'too_large' } },
      { line: 5, status: 'accepted', runId: 'b' },
      { summary: { read: 4, accepted: 2, stale: 0, conflicts: 0, rejected: 2 } },
    ])
  })

  test.each(['gzip', 'GZIP', 'x-gzip', 'X-Gzip'])('may be compressed by gzip, as %s', async (encoding) => {
    const { statusCode, body } = await postLines(gzipSync(JSON.stringify(update('a'))), {
      'content-encoding': encoding,
    })
    expect([statusCode, readLines(await body.text())]).toMatchObject([
      202,
      [{ status: 'accepted' }, { summary: { read: 1 } }],
    ])
  })

  test('may say that they are as they are', async () => {
    const { statusCode, body } = await postLines(JSON.stringify(update('a')), { 'content-encoding': 'Identity' })
    await body.dump()
    expect(statusCode).toBe(202)
  })

  test('that are no gzip, or of another encoding, are told', async () => {
    const broken = await postLines('no gzip', { 'content-encoding': 'gzip' })
    expect([broken.statusCode, await broken.body.json()]).toMatchObject([400, { code: 3 }])
    const other = await postLines('', { 'content-encoding': 'br' })
    await other.body.dump()
    expect(other.statusCode).toBe(415)
  })

  test('none of which was taken are answered with 400', async () => {
    const { statusCode, body } = await postLines('1\n2\n')
    expect([statusCode, readLines(await body.text())]).toMatchObject([
      400,
      [{ line: 1 }, { line: 2 }, { summary: { rejected: 2 } }],
    ])
  })

  test('of one run keep their order', async () => {
    const lines = Array.from({ length: 3_000 }, (_, i) => `${JSON.stringify(update('run-1', { name: `name ${i}` }))}\n`)
    await (await postLines(lines.join(''))).body.text()
    lane.addWorker()
    await lane.drained()
    expect(lane.simulator.runs.get('run-1')).toMatchObject({ name: 'name 2999' })
  })

  test('are answered in full where the client reads nothing before it has sent all', async () => {
    const count = 60_000
    const line = `${JSON.stringify(update('run-1'))}\n`
    const body = Buffer.from(line.repeat(count))
    const socket = connectSocket(Number(new URL(lane.url).port), '127.0.0.1')
    socket.pause()
    socket.write(
      `POST /v1/updates HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ncontent-length: ${body.length}\r\n\r\n`,
    )
    await new Promise<void>((resolve) => socket.write(body, () => resolve()))
    let text = ''
    for await (const chunk of socket) text += chunk
    // The sizes of the chunks that the answer came in may stand anywhere, also within a word.
    const answer = text.replace(/\r\n[\da-f]+\r\n/g, '')
    expect(answer.match(/"status":"accepted"/g)).toHaveLength(count)
    expect(answer).toContain(`{"summary":{"read":${count},"accepted":${count},`)
  })

  test('are told where Redis goes away in the middle', async () => {
    const own = await startTestRedis()
    const served = await startServedLane(own)
    const stream = new Readable({ read() {} })
    stream.push(`${JSON.stringify(update('a'))}\n`)
    const { statusCode, body } = await request(`${served.url}/v1/updates`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: stream,
    })
    expect(statusCode).toBe(202)
    await own.kill()
    stream.push(`${JSON.stringify(update('b'))}\n`)
    const lines = readLines(await body.text())
    stream.push(null)
    expect(lines).toMatchObject([{ line: 1 }, { summary: { read: 1 }, error: { code: 14 } }])
    const answer = await served.call('POST', '/v1/updates', update('c'))
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect((await served.call('GET', '/v1/status')).status).toBe(503)
    expect((await served.call('GET', '/readyz')).status).toBe(503)
    expect((await served.call('GET', '/livez')).status).toBe(200)
    await own.restart()
    await served.close()
    await own.close()
  })
})

test('a hundred clients that keep their connections are all served', async () => {
  const agents = Array.from({ length: 100 }, () => new Agent({ connections: 1 }))
  const statuses = await Promise.all(
    agents.map(async (dispatcher, client) => {
      const own: number[] = []
      for (let i = 0; i < 10; i++) {
        const { statusCode, body } = await request(`${lane.url}/v1/updates`, {
          dispatcher,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(update(`run-${client}`, { name: `name ${i}` })),
        })
        await body.dump()
        own.push(statusCode)
      }
      return own
    }),
  )
  expect(statuses.flat().filter((status) => status === 202)).toHaveLength(1_000)
  lane.addWorker()
  await lane.drained()
  for (let client = 0; client < 100; client++) {
    expect(lane.simulator.runs.get(`run-${client}`)).toMatchObject({ name: 'name 9' })
  }
  await Promise.all(agents.map((agent) => agent.close()))
})
