import { once } from 'node:events'
import { type AddressInfo, connect as connectSocket, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHttpServer } from '../../../src/http/connections.js'
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

/** A connection whose client may close its side and go on reading. */
const open = (): Socket =>
  connectSocket({ port: Number(new URL(lane.url).port), host: '127.0.0.1', allowHalfOpen: true })

async function readAll(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: unknown
}

function readAnswer(text: string): Answer {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head, body: JSON.parse(body) }
}

const UPDATE = '{"run":{"runId":"run-1","name":"n"}}'
const HEAD = 'POST /v1/updates HTTP/1.1\r\nhost: localhost\r\n'
const JSON_HEAD = `${HEAD}content-type: application/json\r\n`
const GOOD = `${JSON_HEAD}content-length: ${UPDATE.length}\r\n\r\n${UPDATE}`

describe('what is no HTTP is told so, in the shape of all errors', () => {
  test.each([
    ['a request line that is none', 'no request\r\n\r\n', 400],
    ['two lengths', `${JSON_HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['a bad chunk', `${JSON_HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`, 400],
    ['a head without end', `${JSON_HEAD}x: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
  ])('%s', async (_what, request, status) => {
    const socket = open()
    socket.write(request)
    const { head, ...answer } = readAnswer(await readAll(socket))
    socket.destroy()
    expect(answer).toEqual({ status, body: { code: 3, message: expect.any(String), details: [] } })
    expect(head).toContain('connection: close')
    expect(head).toContain('content-type: application/json')
  })

  test.each([
    ['no request', 'no request\r\n\r\n'],
    ['a bad chunk', `${JSON_HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`],
  ])('after the answers to what came before it: %s', async (_what, last) => {
    const socket = open()
    socket.write(`${GOOD}${GOOD}${last}`)
    const text = await readAll(socket)
    socket.destroy()
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202', 'HTTP/1.1 202', 'HTTP/1.1 400'])
  })

  test('never in the middle of an answer', async () => {
    const lines = `${UPDATE}\n`
    const socket = open()
    socket.write(`${HEAD}content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n`)
    socket.write(`${lines.length.toString(16)}\r\n${lines}\r\n`)
    const [first] = await once(socket, 'data')
    socket.write('zz\r\n')
    const text = `${first}${await readAll(socket).catch(() => '')}`
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202'])
  })
})

describe('a client that closes its side', () => {
  test('after its request gets its answer', async () => {
    const socket = open()
    socket.end(GOOD)
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 202 /)
  })

  test('after its lines gets all of their answers', async () => {
    const body = gzipSync(`${UPDATE}\n`.repeat(5_000))
    const socket = open()
    socket.write(
      `${HEAD}content-type: application/x-ndjson\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`,
    )
    socket.end(body)
    expect(await readAll(socket)).toContain('{"summary":{"read":5000,"accepted":5000,')
  })

  test('in the middle of its request is told that it was cut off', async () => {
    const socket = open()
    socket.end(`${JSON_HEAD}content-length: 99\r\n\r\n{"run"`)
    expect(readAnswer(await readAll(socket))).toMatchObject({
      status: 400,
      body: { code: 3, message: 'the request was cut off' },
    })
  })

  test('between requests is left', async () => {
    const socket = open()
    socket.write(GOOD)
    await once(socket, 'data')
    socket.end()
    await once(socket.resume(), 'close')
  })
})

describe('a client that is slow', () => {
  const HEAD_TIMEOUT_MS = 300

  const startServer = async () => {
    const server = createHttpServer((request, response) => {
      request.resume().once('end', () => response.end('{}'))
    }, HEAD_TIMEOUT_MS)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  /** Writes `head`, then `piece` again and again, so that the connection is never idle; what came back. */
  const trickle = async (head: string, piece: string, pieces: number) => {
    const server = await startServer()
    const socket = connectSocket({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
    socket.write(head)
    let written = 0
    const timer = setInterval(() => written++ < pieces && socket.write(piece), HEAD_TIMEOUT_MS / 10)
    const text = await readAll(socket).finally(() => clearInterval(timer))
    server.close()
    return readAnswer(text)
  }

  test('in sending the head of its request is turned away', async () => {
    const { status, body } = await trickle('GET /livez HTTP/1.1\r\n', 'x: y\r\n', 100)
    expect(status).toBe(408)
    expect(body).toEqual({ code: 4, message: expect.stringContaining('in time'), details: [] })
  })

  test('in sending a body alone is not', async () => {
    const { status } = await trickle(`${HEAD}connection: close\r\ncontent-length: 30\r\n\r\n`, 'x', 30)
    expect(status).toBe(200)
  })
})
