/**
 * Errors as the API of Sift words them, a google.rpc.Status: programs that speak with Sift read ours, too.
 */
import { z } from 'zod'
import { REJECTION_CODES, type RejectionCode, type UpdateRejectedError } from '../errors.js'

/** The google.rpc code that goes with a status of ours. */
const RPC_CODES: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  408: 4,
  413: 3,
  414: 3,
  415: 3,
  429: 8,
  431: 3,
  503: 14,
}
const UNKNOWN_CODE = 2

export interface RpcStatus {
  readonly code: number
  readonly message: string
  readonly details: readonly unknown[]
}

/** It as the document of the interface shows it. */
export const RPC_STATUS = z
  .object({
    code: z.int().describe('The google.rpc code.'),
    message: z.string().describe('What was wrong, with which value, and the way out.'),
    details: z.array(
      z.union([
        z
          .object({
            '@type': z.literal('type.googleapis.com/google.rpc.ErrorInfo'),
            reason: z.enum(Object.keys(REJECTION_CODES).map((code) => code.toUpperCase())),
            domain: z.literal('sift-run-updater'),
          })
          .describe('The code of the refusal.'),
        z
          .object({
            '@type': z.literal('type.googleapis.com/google.rpc.BadRequest'),
            fieldViolations: z.array(z.object({ field: z.string(), description: z.string() })),
          })
          .describe('Where in the request.'),
      ]),
    ),
  })
  .meta({
    id: 'Error',
    description: 'An error, as the API of Sift words them: a google.rpc.Status.',
  }) satisfies z.ZodType<RpcStatus>

interface HttpErrorOptions {
  readonly details?: readonly unknown[]
  /** Seconds after which trying again makes sense. */
  readonly retryAfter?: number
  /** Further keys of the body. */
  readonly more?: object
}

/** Ends the handling of a request with this answer. */
export class HttpError extends Error {
  readonly statusCode: number
  readonly retryAfter: number | undefined
  readonly body: RpcStatus

  constructor(statusCode: number, message: string, { details = [], retryAfter, more }: HttpErrorOptions = {}) {
    super(message)
    this.statusCode = statusCode
    this.retryAfter = retryAfter
    this.body = { ...rpcStatus(statusCode, message, details), ...more }
  }
}

function rpcStatus(statusCode: number, message: string, details: readonly unknown[] = []): RpcStatus {
  return { code: RPC_CODES[statusCode] ?? UNKNOWN_CODE, message, details }
}

/** How long a client should leave an overloaded lane, or a Redis that is away, alone. */
export const RETRY_AFTER_SECONDS = 1

/** The answer to an update that was refused: by the parser (400), or since the lane takes no new runs now (503). */
export function rejectionError(error: UpdateRejectedError, more?: object): HttpError {
  const details = { details: detailsOf(error.code, error.path, error.message), ...(more && { more }) }
  if (error.code !== 'overloaded') return new HttpError(error.code === 'too_large' ? 413 : 400, error.message, details)
  return new HttpError(503, error.message, { ...details, retryAfter: RETRY_AFTER_SECONDS })
}

/** What is wrong with a request, and where. */
export function badRequest(path: string, message: string): HttpError {
  return new HttpError(400, message, { details: detailsOf('invalid_value', path, message) })
}

function detailsOf(code: RejectionCode, path: string, message: string): unknown[] {
  const info = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: code.toUpperCase(),
    domain: 'sift-run-updater',
  }
  if (path === '') return [info]
  const violations = {
    '@type': 'type.googleapis.com/google.rpc.BadRequest',
    fieldViolations: [{ field: path, description: message }],
  }
  return [info, violations]
}
