/**
 * What the document of the interface says of an operation beside what fastify validates. Fastify itself knows none of
 * it: answers go out as they are written, and tests compare them with this.
 */
import type { z } from 'zod'
import { RPC_STATUS } from './http-error.js'

export interface Answer {
  readonly description: string
  /** By their types. */
  readonly content: Readonly<Record<string, z.ZodType>>
  readonly headers?: Readonly<Record<string, { readonly description: string }>>
}

/** By status. */
export type Answers = Readonly<Record<number, Answer>> & { readonly default?: Answer }

export interface Description {
  readonly answers: Answers
  /** Headers of the request. */
  readonly headers?: z.ZodType
  /** One line of a request that comes as NDJSON. */
  readonly line?: z.ZodType
}

declare module 'fastify' {
  interface FastifyContextConfig {
    described?: Description
  }
}

export const JSON_TYPE = 'application/json'
export const NDJSON_TYPE = 'application/x-ndjson'

export const RETRY_AFTER = { 'retry-after': { description: 'Seconds after which trying again makes sense.' } }

export function json(description: string, schema: z.ZodType, headers?: Answer['headers']): Answer {
  return { description, content: { [JSON_TYPE]: schema }, ...(headers && { headers }) }
}

export function refusal(description: string, headers?: Answer['headers']): Answer {
  return json(description, RPC_STATUS, headers)
}

export const REDIS_AWAY = refusal('Redis is away, or does not answer in time.', RETRY_AFTER)

/** What every route that asks for the token may answer. */
const GUARDED: Answers = {
  401: refusal('The token is missing or wrong.', { 'www-authenticate': { description: '`Bearer`' } }),
  403: refusal(
    'A page of another site asks for a change; or, without AUTH_TOKEN, the request names another host than this machine.',
  ),
  429: refusal('Too many wrong tokens came from this address.', RETRY_AFTER),
}

const MALFORMED: Answers = { 400: refusal('The request is not what it must be; `details` say where.') }

const WITH_PARAMS: Answers = { ...MALFORMED, 414: refusal('A part of the path is longer than any id.') }

/** What every route may answer that reads a body, also where it asks for none. */
const WITH_BODY: Answers = {
  ...MALFORMED,
  408: refusal('The body did not come in time.'),
  413: refusal('The body is too large.'),
  415: refusal('The body is of another type, charset or encoding than the message says.', {
    accept: { description: 'The types that are taken, where that is what is wrong.' },
  }),
}

/** All answers of an operation: its own, and those that come from its kind. */
export function answersOf(
  operation: {
    readonly isOpen: boolean
    readonly hasBody: boolean
    readonly hasParams: boolean
    readonly hasQuery: boolean
  },
  own: Answers,
): Answers {
  return {
    ...(!operation.isOpen && GUARDED),
    ...(operation.hasQuery && MALFORMED),
    ...(operation.hasParams && WITH_PARAMS),
    ...(operation.hasBody && WITH_BODY),
    ...own,
  }
}
