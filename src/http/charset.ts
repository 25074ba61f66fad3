import type { FastifyRequest } from 'fastify'
import { HttpError } from './http-error.js'

/** As far as bodies go, US-ASCII is UTF-8. */
const READABLE = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii'])

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/gi

/**
 * Bodies are read as UTF-8: in another charset they would mean something else, or nothing.
 * @throws HttpError 415
 */
export function refuseOtherCharsets({ headers }: FastifyRequest): void {
  for (const [, charset = ''] of (headers['content-type'] ?? '').matchAll(CHARSET)) {
    if (READABLE.has(charset.toLowerCase())) continue
    throw new HttpError(415, `the charset of a body must be utf-8 (content-type says ${charset})`)
  }
}
