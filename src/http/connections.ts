/**
 * The connections below the HTTP interface: what holds before a request is one, and where it never becomes one.
 *
 *  - What is no HTTP is told so in the shape of all errors. It comes after the answers that are due on its connection, and
 *    never into the middle of one.
 *  - A client may close its side once it has sent its request, and still gets its answer.
 */
import { createServer, type RequestListener, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { HttpError } from './http-error.js'

/** Nothing may move on a connection for so long; the longest wait for an outcome is shorter. */
const IDLE_TIMEOUT_MS = 75_000

/** Longer than load balancers keep a connection: whoever sends the requests should be the one to end it. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000

/** For the head of a request, however steadily it trickles in; found out after twice as long at the latest. */
const HEAD_TIMEOUT_MS = 30_000

/** What was not read when a socket is destroyed resets it, and its client loses the answer: so long is still read. */
const LINGER_MS = 1_000

/** Takes connections once it listens. A head that is not complete within `headTimeoutMs` is answered 408. */
export function createHttpServer(handle: RequestListener, headTimeoutMs = HEAD_TIMEOUT_MS): Server {
  const timeouts = {
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // A stream of lines may take hours. Node then has no limit for the head either, unless it is told one.
    requestTimeout: 0,
    headersTimeout: headTimeoutMs,
    connectionsCheckingInterval: headTimeoutMs,
  }
  const server = createServer(timeouts, handle)
  server.setTimeout(IDLE_TIMEOUT_MS)
  // Old, and in no document of Node: without it, the answer is cut off as soon as the client has closed its side.
  Object.assign(server, { httpAllowHalfOpen: true })
  const unanswered = new WeakMap<Duplex, Set<ServerResponse>>()
  server.on('request', ({ socket }, response) => {
    const responses = unanswered.get(socket) ?? new Set()
    unanswered.set(socket, responses.add(response))
    response.once('close', () => responses.delete(response))
  })
  const refused = new WeakSet<Duplex>()
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Each further piece of what is no HTTP is one more error.
    if (refused.has(socket)) return
    refused.add(socket)
    const responses = [...(unanswered.get(socket) ?? [])]
    const broken = responses.find(({ req }) => !req.complete)
    const end = () => (broken?.headersSent ? socket.destroy() : refuse(socket, error))
    const lastDue = responses.findLast(({ req }) => req.complete)
    if (lastDue) lastDue.once('close', end)
    else end()
  })
  return server
}

function refuse(socket: Duplex, error: NodeJS.ErrnoException): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const { statusCode, body } = toHttpError(error)
  const text = JSON.stringify(body)
  const head = [
    `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
  const cut = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(cut))
}

function toHttpError({ code, message }: NodeJS.ErrnoException): HttpError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HttpError(408, 'the head of the request was not complete in time')
    case 'HPE_HEADER_OVERFLOW':
      return new HttpError(431, 'the head of the request is too large')
    case 'HPE_INVALID_EOF_STATE':
      return new HttpError(400, 'the request was cut off')
    default:
      return new HttpError(400, `the request is not HTTP: ${message}`)
  }
}
