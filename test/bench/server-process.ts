/** The HTTP interface as `serve` starts it: a process of its own. */
import { startLaneServer } from '../../src/http/lane-server.js'
import { createLogger } from '../../src/logging.js'
import { answerParent, orders } from './child.js'

export interface ServerOrders {
  readonly redis: string
  readonly coalesceWindowMs: number
}

const { redis, coalesceWindowMs } = orders<ServerOrders>()
const { url } = await startLaneServer({
  redis,
  coalesceWindowMs,
  policy: { coalesceWindowMs },
  rate: { max: 50, durationMs: 1_000 },
  host: '127.0.0.1',
  port: 0,
  logger: createLogger('warn'),
})
answerParent(() => url)
