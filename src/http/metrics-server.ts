import { type FastifyInstance, fastify } from 'fastify'
import type { Registry } from 'prom-client'
import { limitGuesses } from './guesses.js'
import { metricsRoute } from './metrics-route.js'
import { AuthToken } from './token.js'

export interface MetricsServerOptions {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** Asked for as a bearer token, once it is set. */
  readonly authToken?: string | undefined
}

export interface MetricsServer {
  /** Where the metrics are. */
  readonly url: string
  close(): Promise<void>
}

/**
 * The metrics of a process that serves nothing else.
 * @throws where the address can't be listened on.
 */
export async function startMetricsServer(
  registry: Registry,
  { host, port, authToken }: MetricsServerOptions,
): Promise<MetricsServer> {
  const server = fastify({ forceCloseConnections: true })
  if (authToken !== undefined) await askForToken(server, new AuthToken(authToken))
  await server.register(metricsRoute, { registry })
  const url = await server.listen({ host, port })
  return { url: `${url}/metrics`, close: () => server.close() }
}

async function askForToken(server: FastifyInstance, token: AuthToken): Promise<void> {
  const countGuess = await limitGuesses(server)
  server.addHook('onRequest', async (request, reply) => {
    const { authorization } = request.headers
    if (token.isBearer(authorization)) return
    if (authorization !== undefined) await countGuess(request, reply)
    await reply
      .code(401)
      .header('www-authenticate', 'Bearer')
      .send({ code: 16, message: 'a token is missing or wrong' })
  })
}
