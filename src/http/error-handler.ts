import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { RedisUnavailableError, UpdateRejectedError } from '../errors.js'
import type { Logger } from '../logging.js'
import { isRedisTrouble } from '../redis/trouble.js'
import { shorten } from '../run/shown.js'
import { badRequest, HttpError, RETRY_AFTER_SECONDS, rejectionError } from './http-error.js'

const BODY_TYPES = ['application/json', 'application/x-ndjson', 'application/x-www-form-urlencoded']

/** Gives every error one shape. What a client sent is never answered with 500: that is for bugs of ours, and logged. */
export function handleErrors(server: FastifyInstance, logger: Logger): void {
  server.setErrorHandler((error: FastifyError, request, reply) => {
    if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return refuseType(request, reply)
    const known = toHttpError(error)
    if (!known) logger.error({ err: error }, 'a request ended in an unexpected error; please report it')
    return sendError(reply, known ?? new HttpError(500, 'an unexpected error; it is in the log of the server'))
  })
  server.setNotFoundHandler((request, reply) => {
    const [path] = request.url.split('?')
    return sendError(reply, new HttpError(404, `there is no ${request.method} ${path}; /docs lists what there is`))
  })
}

/** Which types there are depends on the route. */
function refuseType({ server, headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const taken = BODY_TYPES.filter((type) => server.hasContentTypeParser(type))
  const type = headers['content-type']
  const found = type === undefined ? 'no type' : `the type ${shorten(type)}`
  reply.header('accept', taken.join(', '))
  return sendError(reply, new HttpError(415, `the body is of ${found}; it must be ${taken.join(' or ')}`))
}

export function sendError(reply: FastifyReply, { statusCode, body, retryAfter }: HttpError): FastifyReply {
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  return reply.code(statusCode).type('application/json').send(JSON.stringify(body))
}

export function toHttpError(error: unknown): HttpError | undefined {
  if (error instanceof HttpError) return error
  if (error instanceof UpdateRejectedError) return rejectionError(error)
  if (error instanceof RedisUnavailableError || isRedisTrouble(error)) return redisAway(error)
  if (!(error instanceof Error)) return undefined
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [first] = error.validation
    const place = (error as FastifyError).validationContext ?? 'request'
    const path = first?.instancePath.slice(1).replaceAll('/', '.') ?? ''
    return badRequest(path, `${path === '' ? `the ${place}` : path}: ${first?.message ?? 'it is not valid'}`)
  }
  const { statusCode } = error as FastifyError
  return statusCode !== undefined && statusCode >= 400 && statusCode < 500
    ? new HttpError(statusCode, error.message)
    : undefined
}

function redisAway(error: Error): HttpError {
  const isOurs = error instanceof RedisUnavailableError
  const message = isOurs ? error.message : 'Redis does not answer; try again later'
  return new HttpError(503, message, { retryAfter: RETRY_AFTER_SECONDS })
}
