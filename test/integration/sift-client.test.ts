import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ApiKey } from '../../src/sift/api-key.js'
import { createSiftClient, MAX_ANSWER_BYTES, type SiftClient, type SiftClientOptions } from '../../src/sift/client.js'
import { expectNoLeaks } from '../support/leaks.js'
import { waitFor } from '../support/wait-for.js'

const SECRET = 'sk-very-secret'
const BODY = { run: { runId: 'run-1', name: 'n' }, updateMask: 'name' }
const ANSWER = JSON.stringify({ run: { runId: 'run-1', name: 'n' } })
/** A label of 64 characters is one too long for DNS, so it fails without asking any server. */
const UNRESOLVABLE = `http://${'a'.repeat(64)}.invalid`
/** Short, for the tests that wait for it; the others end long before the long one. */
const SHORT_MS = 150
const LONG_MS = 10_000

/**
 * A certificate for 127.0.0.1 that signed itself, with its key. It was made for the tests and protects nothing; it is
 * here since Node can make keys, but no certificates.
 */
const SELF_SIGNED = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHtynn0oZAXWCIxCm
uNXlpe59UCnjHZIWJqOuZ+fsFMWhRANCAASW5qMm3YgY2eGUibSoz2grj0q9cAaR
vQQFtB/xylsqNZtBFV7kvPEq3ZqL/BT6hM9PJDkLgphpix1hUDh0VUbJ
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUMBWpufKwaP71Jy0gjGmSIG/7ivcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDA5NTA1NFoYDzIxMjYxMDMx
MDk1MDU0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASW5qMm3YgY2eGUibSoz2grj0q9cAaRvQQFtB/xylsqNZtBFV7kvPEq
3ZqL/BT6hM9PJDkLgphpix1hUDh0VUbJo2QwYjAdBgNVHQ4EFgQUzy319Xp5QmmM
pn9DInaUYoK1S10wHwYDVR0jBBgwFoAUzy319Xp5QmmMpn9DInaUYoK1S10wDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IQCitObZGnK/uEyPv7RDtBYPW2YxQ9Sh5S6Hzc/fRH1VvAIgAoaminvdpqxXngcp
7WvSK1LgejJgNPKHo1/tFW1iA+A=
-----END CERTIFICATE-----
`,
}

const closers: Array<() => Promise<unknown>> = []

expectNoLeaks()
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const close of closers.splice(0).reverse()) await close()
})

async function listen(server: Server | TcpServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    const closed = once(server, 'close')
    server.close()
    if ('closeAllConnections' in server) server.closeAllConnections()
    await closed
  })
  return (server.address() as AddressInfo).port
}

function clientFor(baseUrl: string, options: Partial<SiftClientOptions> = {}): SiftClient {
  const client = createSiftClient({ baseUrl, apiKey: ApiKey.literal(SECRET), requestTimeoutMs: LONG_MS, ...options })
  closers.push(() => client.close())
  return client
}

/** A server of the given behaviour, the requests that reached it, and a client of it. */
async function startServer(listener: RequestListener, options: Partial<SiftClientOptions> = {}, path = '') {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    listener(request, response)
  })
  const port = await listen(server)
  return { server, requests, port, client: clientFor(`http://127.0.0.1:${port}${path}`, options) }
}

const answerRun: RequestListener = (_request, response) => response.end(ANSWER)

describe('what is sent', () => {
  it('an update is one PATCH of proto3 JSON with the key in its header', async () => {
    let body = ''
    const { client, requests } = await startServer(async (request, response) => {
      body = await text(request)
      response.end(ANSWER)
    })
    const exchange = await client.updateRun(BODY)
    expect(exchange).toMatchObject({ verdict: { kind: 'applied' }, httpStatus: 200, responseBody: ANSWER })
    expect(exchange.durationMs).toBeGreaterThan(0)
    expect(requests).toHaveLength(1)
    expect(requests[0]).toMatchObject({ method: 'PATCH', url: '/api/v2/runs' })
    expect(requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${SECRET}`,
      'content-type': 'application/json',
    })
    expect(JSON.parse(body)).toEqual(BODY)
  })

  it('a read gives the run, from a base URL with a path of its own', async () => {
    const { client, requests } = await startServer(answerRun, {}, '/sift/')
    expect(await client.getRun('run-1')).toMatchObject({
      verdict: { kind: 'applied' },
      run: { runId: 'run-1', name: 'n' },
    })
    expect(requests[0]).toMatchObject({ method: 'GET', url: '/sift/api/v2/runs/run-1' })
  })

  it('a read of a run that is not there gives a verdict and no run', async () => {
    const { client } = await startServer((_request, response) => {
      response.writeHead(404).end('{"code":5,"message":"run not found"}')
    })
    const reading = await client.getRun('run-1')
    expect(reading).toMatchObject({ verdict: { kind: 'permanent', reason: 'run_not_found' }, httpStatus: 404 })
    expect(reading).not.toHaveProperty('run')
  })

  it('a connection is kept for the next request', async () => {
    const { client, requests } = await startServer(answerRun, { connections: 1 })
    for (let i = 0; i < 5; i++) await client.updateRun(BODY)
    expect(new Set(requests.map((request) => request.socket)).size).toBe(1)
  })

  it('no more connections are opened than were allowed', async () => {
    const { client, requests } = await startServer(answerRun, { connections: 2 })
    await Promise.all(Array.from({ length: 20 }, () => client.updateRun(BODY)))
    expect(new Set(requests.map((request) => request.socket)).size).toBe(2)
  })

  it('a redirect is not followed', async () => {
    const { client, requests } = await startServer((_request, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    const { verdict } = await client.updateRun(BODY)
    expect(verdict).toMatchObject({ kind: 'held', reason: 'unexpected_response', httpStatus: 302 })
    expect(requests).toHaveLength(1)
  })
})

describe('no answer in time', () => {
  it('a server that never answers is timed out, ambiguously', async () => {
    const { client } = await startServer(() => {}, { requestTimeoutMs: SHORT_MS })
    const { verdict, durationMs, httpStatus } = await client.updateRun(BODY)
    expect(verdict).toMatchObject({ kind: 'transient', reason: 'timeout', ambiguous: true })
    expect(durationMs).toBeLessThan(LONG_MS)
    expect(httpStatus).toBeUndefined()
  })

  it('so is one that stops after the headers', async () => {
    const { client } = await startServer((_request, response) => {
      response.writeHead(200).flushHeaders()
    })
    const { verdict } = await client.updateRun(BODY, { timeoutMs: SHORT_MS })
    expect(verdict).toMatchObject({ reason: 'timeout', ambiguous: true })
  })

  it('the deadline covers the whole answer: a body that drips does not prolong it', async () => {
    const { client } = await startServer((_request, response) => {
      const drip = setInterval(() => response.write(' '), 10)
      response.on('close', () => clearInterval(drip))
    })
    const { verdict, durationMs } = await client.updateRun(BODY, { timeoutMs: SHORT_MS })
    expect(verdict).toMatchObject({ reason: 'timeout', ambiguous: true })
    expect(durationMs).toBeLessThan(LONG_MS)
  })

  it('the connection of a timed-out request is not used again', async () => {
    let silent = true
    const { client, requests } = await startServer((request, response) => {
      if (!silent) answerRun(request, response)
    })
    await client.updateRun(BODY, { timeoutMs: SHORT_MS })
    silent = false
    expect((await client.updateRun(BODY)).verdict).toEqual({ kind: 'applied' })
    expect(requests).toHaveLength(2)
    expect(requests[0]?.socket).not.toBe(requests[1]?.socket)
  })

  it('a request that waits in vain for a connection was not sent, and is not sent later', async () => {
    const held: ServerResponse[] = []
    const { client, requests } = await startServer((_request, response) => void held.push(response), { connections: 1 })
    const first = client.updateRun(BODY)
    await waitFor('the first request', () => held.length > 0)
    const { verdict } = await client.updateRun(BODY, { timeoutMs: SHORT_MS })
    expect(verdict).toMatchObject({ reason: 'connection_failed', ambiguous: false })
    held[0]?.end(ANSWER)
    expect((await first).verdict).toEqual({ kind: 'applied' })
    await client.close()
    expect(requests).toHaveLength(1)
  })
})

describe('no connection', () => {
  it('a port where nobody listens refuses: nothing was sent', async () => {
    const server = createServer()
    const port = await listen(server)
    server.close()
    await once(server, 'close')
    closers.splice(0)
    const { verdict } = await clientFor(`http://127.0.0.1:${port}`).updateRun(BODY)
    expect(verdict).toMatchObject({ reason: 'connection_failed', ambiguous: false })
    expect(verdict).toHaveProperty('message', expect.stringContaining('ECONNREFUSED'))
  })

  it('neither does a name that does not resolve', async () => {
    const { verdict } = await clientFor(UNRESOLVABLE).updateRun(BODY)
    expect(verdict).toMatchObject({ reason: 'connection_failed', ambiguous: false })
  })

  it('a certificate that nobody vouches for is refused, even where the environment says otherwise', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    const reached = vi.fn()
    const port = await listen(createTlsServer(SELF_SIGNED, reached))
    const { verdict } = await clientFor(`https://127.0.0.1:${port}`).updateRun(BODY)
    expect(verdict).toMatchObject({ reason: 'connection_failed', ambiguous: false })
    expect(verdict).toHaveProperty('message', expect.stringContaining('certificate'))
    expect(reached).not.toHaveBeenCalled()
  })

  it('a server that hangs in the TLS handshake is given up at the deadline: nothing was sent', async () => {
    const sockets = new Set<{ destroy(): void }>()
    const port = await listen(createTcpServer((socket) => void sockets.add(socket)))
    const client = clientFor(`https://127.0.0.1:${port}`, { requestTimeoutMs: SHORT_MS })
    const { verdict } = await client.updateRun(BODY)
    expect(verdict).toMatchObject({ reason: 'connection_failed', ambiguous: false })
    for (const socket of sockets) socket.destroy()
  })
})

describe('a connection that is cut', () => {
  it('before the answer is ambiguous, and the PATCH is not sent again', async () => {
    const { client, requests } = await startServer((request) => request.socket.destroy())
    const { verdict } = await client.updateRun(BODY)
    expect(verdict).toMatchObject({ kind: 'transient', reason: 'connection_cut', ambiguous: true })
    await client.close()
    expect(requests).toHaveLength(1)
  })

  it('on a kept-alive socket is no different', async () => {
    const { client, requests } = await startServer((request, response) => {
      if (requests.length === 1) answerRun(request, response)
      else request.socket.destroy()
    })
    expect((await client.updateRun(BODY)).verdict).toEqual({ kind: 'applied' })
    expect((await client.updateRun(BODY)).verdict).toMatchObject({ reason: 'connection_cut', ambiguous: true })
    await client.close()
    expect(requests).toHaveLength(2)
  })

  it('in the middle of the body is ambiguous, with and without a content-length', async () => {
    for (const headers of [{ 'content-length': '1000' }, {}]) {
      const { client } = await startServer((_request, response) => {
        response.writeHead(200, headers)
        response.write('{"run":', () => response.destroy())
      })
      expect((await client.updateRun(BODY)).verdict).toMatchObject({ reason: 'connection_cut', ambiguous: true })
    }
  })

  it('by an answer that is no HTTP is ambiguous', async () => {
    const port = await listen(
      createTcpServer(
        (socket) =>
          void socket
            .on('error', () => {})
            .resume()
            .end('nonsense\r\n\r\n'),
      ),
    )
    const { verdict } = await clientFor(`http://127.0.0.1:${port}`).updateRun(BODY)
    expect(verdict).toMatchObject({ reason: 'connection_cut', ambiguous: true })
  })

  it('by its caller is ambiguous once the request is out', async () => {
    const caller = new AbortController()
    const { client } = await startServer(() => caller.abort())
    const { verdict } = await client.updateRun(BODY, { signal: caller.signal })
    expect(verdict).toMatchObject({ kind: 'transient', reason: 'connection_cut', ambiguous: true })
  })

  it('by its caller before that sends nothing', async () => {
    const { client, requests } = await startServer(answerRun)
    const { verdict } = await client.updateRun(BODY, { signal: AbortSignal.abort() })
    expect(verdict).toMatchObject({ reason: 'connection_failed', ambiguous: false })
    await client.close()
    expect(requests).toHaveLength(0)
  })
})

describe('an answer that is too large', () => {
  it('is not read to its end', async () => {
    const { client } = await startServer((_request, response) => {
      const chunk = Buffer.alloc(256 * 1024, ' ')
      const fill = () => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', fill)
      fill()
    })
    const exchange = await client.updateRun(BODY)
    expect(exchange).toMatchObject({ verdict: { reason: 'invalid_response', ambiguous: false }, httpStatus: 200 })
    expect(exchange).not.toHaveProperty('responseBody')
  })

  it('is one beyond the limit, not one that just reaches it', async () => {
    const { client } = await startServer((_request, response) => response.end(ANSWER.padEnd(MAX_ANSWER_BYTES)))
    expect((await client.updateRun(BODY)).verdict).toEqual({ kind: 'applied' })
  })
})

describe('the API key', () => {
  it('is asked for at every request', async () => {
    const apiKey = ApiKey.literal('first')
    const { client, requests } = await startServer(answerRun, { apiKey })
    await client.updateRun(BODY)
    vi.spyOn(apiKey, 'authorization').mockReturnValue('Bearer second')
    await client.updateRun(BODY)
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer first', 'Bearer second'])
  })

  it('shows up in no verdict, error or inspection', async () => {
    const { client, requests } = await startServer((request) => request.socket.destroy())
    const outputs: unknown[] = [client, await client.updateRun(BODY), await client.getRun('run-1')]
    expect(requests).toHaveLength(2)
    outputs.push(await clientFor(UNRESOLVABLE).updateRun(BODY))
    await client.close()
    outputs.push(await client.updateRun(BODY).catch((error: unknown) => error))
    for (const output of outputs) {
      expect(inspect(output, { depth: 20, showHidden: true, getters: true })).not.toContain(SECRET)
      expect(JSON.stringify(output) ?? '').not.toContain(SECRET)
    }
  })
})

describe('the end', () => {
  it('close lets a request in flight finish', async () => {
    const held: ServerResponse[] = []
    const { client } = await startServer((_request, response) => void held.push(response))
    const running = client.updateRun(BODY)
    await waitFor('the request', () => held.length > 0)
    const closed = client.close()
    held[0]?.end(ANSWER)
    expect((await running).verdict).toEqual({ kind: 'applied' })
    await closed
  })

  it('a request after close is a bug of the caller, not a failure of the network', async () => {
    const { client } = await startServer(answerRun)
    await client.close()
    await expect(client.updateRun(BODY)).rejects.toMatchObject({ name: expect.stringMatching(/Client\w+Error/) })
  })
})
