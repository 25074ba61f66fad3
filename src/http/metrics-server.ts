import { createHash, timingSafeEqual } from 'node:crypto'
import { type FastifyInstance, fastify } from 'fastify'
import type { Registry } from 'prom-client'
import { metricsRoute } from './metrics-route.js'

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
  if (authToken !== undefined) askForToken(server, authToken)
  await server.register(metricsRoute, { registry })
  const url = await server.listen({ host, port })
  return { url: `${url}/metrics`, close: () => server.close() }
}

function askForToken(server: FastifyInstance, authToken: string): void {
  const expected = digest(`Bearer ${authToken}`)
  server.addHook('onRequest', async (request, reply) => {
    // Of digests, since a comparison in constant time wants equal lengths.
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) return
    await reply
      .code(401)
      .header('www-authenticate', 'Bearer')
      .send({ code: 16, message: 'a token is missing or wrong' })
  })
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
