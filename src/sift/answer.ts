import { MEANING_OF_CODE } from './meanings.js'

/** Header names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** A complete answer, from Sift or from whatever stands in between. */
export interface Answer {
  readonly status: number
  readonly headers: AnswerHeaders
  readonly body: string
}

/** What could be read of a google.rpc.Status. */
export interface RpcStatus {
  /** Absent where it is no code that google.rpc has. */
  readonly code?: number
  /** Absent where it is blank. */
  readonly message?: string
  readonly details: readonly unknown[]
}

export type JsonObject = Readonly<Record<string, unknown>>

/** The run of an answer's body; undefined where the body is anything but an answer about that run. */
export function readRun(body: string, runId: string): JsonObject | undefined {
  const run = parseObject(body)?.run
  if (!isJsonObject(run) || typeof run.runId !== 'string') return undefined
  // Run ids are UUIDs: a server may spell them in lower case whatever it was sent.
  return run.runId.toLowerCase() === runId.toLowerCase() ? run : undefined
}

/** Reads an error's body. What is missing or of the wrong type is left out; it never throws. */
export function readStatus(body: string): RpcStatus {
  const status = parseObject(body)
  if (status === undefined) return { details: [] }
  const { code, message, details } = status
  return {
    ...(typeof code === 'number' && MEANING_OF_CODE.has(code) && { code }),
    ...(typeof message === 'string' && message.trim() !== '' && { message: message.trim() }),
    details: Array.isArray(details) ? details : [],
  }
}

/** A page for people: a proxy, a firewall or a login stands in between. */
export function isHtml(answer: Answer): boolean {
  return firstHeader(answer.headers, 'content-type')?.includes('html') === true || /^\s*</.test(answer.body)
}

export function firstHeader(headers: AnswerHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : value?.[0]
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseObject(body: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
