import type { FastifyReply, FastifyRequest } from 'fastify'

/** A browser that lost the stream comes again after this. */
const RETRY_MS = 2_000

/** Server-sent events on one answer. */
export class EventsStream {
  readonly #reply: FastifyReply

  /** Takes the answer over from fastify. The headers that were set on it (security, caching) are sent. */
  constructor(reply: FastifyReply) {
    this.#reply = reply
    reply.header('content-type', 'text/event-stream; charset=utf-8').header('cache-control', 'no-store')
    // A proxy that collects the answer would hold every event back.
    reply.header('x-accel-buffering', 'no')
    reply.hijack()
    reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>)
    reply.raw.write(`retry: ${RETRY_MS}\n\n`)
  }

  /** A reader that is slower than the events misses some: each one holds the whole state. */
  send(name: string, data: unknown): void {
    const { raw } = this.#reply
    if (raw.writableEnded || raw.writableNeedDrain) return
    raw.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  end(): void {
    this.#reply.raw.end()
  }
}

/** Calls back once, when the reader has gone. */
export function onGone(request: FastifyRequest, gone: () => void): void {
  request.raw.socket.once('close', gone)
}
