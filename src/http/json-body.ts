import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refuseOtherCharsets } from './charset.js'
import { contentEncodingOf } from './content-encoding.js'
import { badRequest, HttpError } from './http-error.js'

/** The most that a JSON body may take; what is larger comes as a stream of lines. */
const MAX_BODY_BYTES = 16 * 1024 * 1024

/** An update has five, and may have 64; the rest is room for lists. What is deeper costs far more memory than its bytes. */
const MAX_LEVELS = 1_000

/** From the first byte to the last: a client that sends drop by drop must not keep its place for ever. */
const BODY_TIMEOUT_MS = 30_000

const QUOTE = 0x22
const ESCAPE = 0x5c
const [LIST, LIST_END] = [0x5b, 0x5d]
const [OBJECT, OBJECT_END] = [0x7b, 0x7d]

/** Replaces fastify's own parsers: other types are answered with 415. */
export function takeJsonBodies(server: FastifyInstance, timeoutMs: number = BODY_TIMEOUT_MS): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', async (request: FastifyRequest, payload: IncomingMessage) => {
    refuseOtherCharsets(request)
    const encoding = contentEncodingOf(payload.headers)
    if (encoding !== 'identity') {
      throw new HttpError(415, `a JSON body must not be compressed (content-encoding is ${encoding}); NDJSON may be`)
    }
    const bytes = await readBody(payload, timeoutMs)
    if (bytes.length === 0) return undefined
    return parseJson(bytes)
  })
}

async function readBody(payload: IncomingMessage, timeoutMs: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => {
        const seconds = timeoutMs / 1_000
        reject(new HttpError(408, `the body was not complete within ${seconds} s`))
      }, timeoutMs)
      payload.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= MAX_BODY_BYTES) chunks.push(chunk)
        else chunks.length = 0
      })
      // Also what is too large is read to its end, and thrown away: most clients read the answer only once they have sent
      // all, and would see a broken pipe instead of it.
      payload.once('end', () => (size > MAX_BODY_BYTES ? reject(tooLarge()) : resolve(Buffer.concat(chunks))))
      payload.once('close', () => reject(new HttpError(400, 'the body was cut off')))
      payload.once('error', () => reject(new HttpError(400, 'the body was cut off')))
    })
  } finally {
    clearTimeout(timer)
    payload.removeAllListeners('data')
    payload.resume()
  }
}

function parseJson(bytes: Buffer): unknown {
  // What is not UTF-8 would be read with replacement characters, and sent so.
  if (!isUtf8(bytes)) throw new HttpError(400, 'the body is not UTF-8')
  refuseDeep(bytes)
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, ''))
  } catch (error) {
    throw new HttpError(400, `the body is not JSON: ${error instanceof Error ? error.message : error}`)
  }
}

/** Before anything is made of it. What is not JSON is for JSON.parse to tell. */
function refuseDeep(bytes: Buffer): void {
  let level = 0
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = stringEnd(bytes, at)
        break
      case LIST:
      case OBJECT:
        level++
        if (level > MAX_LEVELS)
          throw badRequest('', `the body is nested deeper than ${MAX_LEVELS} levels, at byte ${at}`)
        break
      case LIST_END:
      case OBJECT_END:
        level--
        break
    }
  }
}

/** Where the string that begins there is closed, or the end of the body. */
function stringEnd(bytes: Buffer, start: number): number {
  let at = start + 1
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === ESCAPE ? 2 : 1
  return at
}

function tooLarge(): HttpError {
  const limit = `${MAX_BODY_BYTES / 1024 / 1024} MiB`
  return new HttpError(413, `the body is larger than ${limit}; send lines as application/x-ndjson, which has no limit`)
}
