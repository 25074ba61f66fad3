/**
 * The HTTP interface of a lane. Each family of routes is a file of its own; this one says what holds for all of them:
 * who may come in, what bodies may be, what errors and headers look like.
 */
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import { type FastifyInstance, fastify } from 'fastify'
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Registry } from 'prom-client'
import type { Logger } from '../logging.js'
import type { RunUpdateProducer } from '../producer/producer.js'
import { guard, type Lock } from './auth.js'
import { continueCallersTrace } from './caller-trace.js'
import { createHttpServer } from './connections.js'
import { dashboard } from './dashboard.js'
import { deadLettersRoutes } from './dead-letters.js'
import { EndedSessions } from './ended-sessions.js'
import { handleErrors, sendError, toHttpError } from './error-handler.js'
import { limitGuesses } from './guesses.js'
import { type HealthParts, healthRoutes } from './health.js'
import { HttpError } from './http-error.js'
import { takeJsonBodies } from './json-body.js'
import type { LaneParts } from './lane-parts.js'
import { closeWithoutReset } from './listener-close.js'
import { metricsRoute } from './metrics-route.js'
import { describeRoutes, serveDescription } from './openapi.js'
import type { OutcomeChannel } from './outcome-channel.js'
import { overview } from './overview.js'
import { pageStyleRoute } from './page.js'
import { patchRunRoute } from './patch-run.js'
import { runsRoutes } from './runs.js'
import { signInRoutes } from './sign-in.js'
import { statusRoutes } from './status.js'
import { AuthToken } from './token.js'
import { updatesRoute } from './updates.js'

export interface ServerParts extends LaneParts, HealthParts {
  readonly producer: RunUpdateProducer
  readonly outcomes: OutcomeChannel
  readonly registry: Registry
  readonly logger: Logger
  /** Asked for by every route but health, once it is set. */
  readonly authToken?: string | undefined
  /** How long a JSON body may take to come. Default: 30 s. */
  readonly bodyTimeoutMs?: number
}

/** Longer than the longest run id or letter id, so that a wrong one is told as such. */
const MAX_PARAM_LENGTH = 512

const CONTENT_SECURITY_POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
} as const

/** Listening and closing are the caller's affair. */
export async function buildServer(parts: ServerParts): Promise<FastifyInstance> {
  const server = fastify({
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    serverFactory: (handle) => createHttpServer(handle),
    // What createHttpServer has answered already.
    clientErrorHandler: () => {},
    // While it closes, what comes on open connections is still taken in.
    return503OnClosing: false,
    frameworkErrors: (error, _request, reply) => {
      void sendError(reply, toHttpError(error) ?? new HttpError(400, error.message))
    },
  })
  server.setValidatorCompiler(validatorCompiler)
  server.setSerializerCompiler(() => (data) => JSON.stringify(data))
  closeWithoutReset(server)
  handleErrors(server, parts.logger)
  takeJsonBodies(server, parts.bodyTimeoutMs)

  await server.register(helmet, {
    contentSecurityPolicy: CONTENT_SECURITY_POLICY,
    strictTransportSecurity: false,
    // With `no-referrer`, browsers send their own forms with the origin null, which the guard takes for another site.
    referrerPolicy: { policy: 'same-origin' },
  })
  await server.register(cookie)
  const lock = parts.authToken === undefined ? undefined : await lockWith(parts.authToken, server, parts)
  guard(server, lock)
  server.addHook('onSend', async (_request, reply) => {
    if (parts.isClosing()) reply.header('connection', 'close')
  })
  continueCallersTrace(server)
  await describeRoutes(server)
  await registerRoutes(server.withTypeProvider<ZodTypeProvider>(), parts, lock)
  return server
}

async function lockWith(authToken: string, server: FastifyInstance, { redis, lane }: ServerParts): Promise<Lock> {
  return {
    token: new AuthToken(authToken),
    endedSessions: new EndedSessions(redis, lane),
    countGuess: await limitGuesses(server),
  }
}

/** The one place where routes are registered. */
async function registerRoutes(server: FastifyInstance, parts: ServerParts, lock: Lock | undefined): Promise<void> {
  await server.register(updatesRoute, parts)
  await server.register(patchRunRoute, parts)
  await server.register(runsRoutes, parts)
  await server.register(deadLettersRoutes, parts)
  await server.register(statusRoutes, parts)
  await server.register(healthRoutes, parts)
  await server.register(metricsRoute, { registry: parts.registry })
  await server.register(pageStyleRoute)
  await server.register(overview, parts)
  await server.register(dashboard, { ...parts, prefix: '/dashboard' })
  if (lock) await server.register(signInRoutes, lock)
  serveDescription(server)
}
