import { Client, type Dispatcher } from 'undici'
import { type LaneServerOptions, startLaneServer } from '../../../src/http/lane-server.js'
import { createLogger } from '../../../src/logging.js'
import type { SimulatorOptions } from '../../../src/simulator/simulator.js'
import { type Pipeline, QUICK, startPipeline } from '../../support/pipeline.js'
import type { TestRedis } from '../../support/redis.js'

/** A lane of its own, with a simulator behind it and the HTTP interface in front. */
export interface ServedLane extends Pipeline {
  readonly url: string
  stopServing(): void
  /** With a path that no URL could have. */
  raw(options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>
  /** With the JSON text of `body`, where there is one. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
}

export async function startServedLane(
  redis: TestRedis,
  options: Partial<LaneServerOptions> = {},
  simulator: SimulatorOptions = {},
): Promise<ServedLane> {
  const pipeline = await startPipeline(redis, simulator)
  const server = await startLaneServer({
    redis: redis.url,
    queueName: pipeline.lane.queueName,
    coalesceWindowMs: 50,
    policy: QUICK,
    rate: { max: 1_000, durationMs: 1_000 },
    host: '127.0.0.1',
    port: 0,
    logger: createLogger('fatal'),
    ...options,
  })
  const client = new Client(server.url)
  return {
    ...pipeline,
    url: server.url,
    raw: (options) => client.request(options),
    stopServing: server.stopServing,
    call: (method, path, body, headers = {}) =>
      fetch(`${server.url}${path}`, {
        method,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        redirect: 'manual',
      }),
    async close() {
      await client.destroy()
      await server.close({ timeoutMs: 1_000 })
      await pipeline.close()
    },
  }
}
