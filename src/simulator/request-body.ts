import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'

/** The body of a request: undefined where the connection ended before it. */
export function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('close', () => resolve(undefined))
    request.on('error', () => resolve(undefined))
  })
}

/** The JSON in a body: undefined where it is none. */
export function jsonOf(body: Buffer): unknown {
  if (!isUtf8(body)) return undefined
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

/** An object's keys and values, where it is one: for a look into a request that is not decoded yet. */
export function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
