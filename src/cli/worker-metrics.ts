import { Registry } from 'prom-client'
import { type Config, policyOptions, refuseOpenAddress } from '../config.js'
import { DeadLetters } from '../dead-letters/dead-letters.js'
import { ConfigurationError } from '../errors.js'
import type { FactEmitter } from '../events.js'
import { FlushQueue } from '../flush-queue/flush-queue.js'
import { type MetricsServer, startMetricsServer } from '../http/metrics-server.js'
import { collectMetrics } from '../metrics/fact-metrics.js'
import { sampleLane } from '../metrics/lane-metrics.js'
import { PendingUpdates } from '../pending/pending-updates.js'
import { policyWith } from '../policy.js'
import { connect, WORKER_CONNECTION } from '../redis/connection.js'
import { laneOf } from '../redis/lane.js'
import { Throttle } from '../throttle/throttle.js'

/**
 * Serves a worker's metrics, over a connection to Redis of its own.
 * @throws ConfigurationError where the address can't be listened on, or is open to others without a token.
 */
export async function serveWorkerMetrics(config: Config, port: number, facts: FactEmitter): Promise<MetricsServer> {
  const lane = laneOf(config.QUEUE_NAME, config.QUEUE_PREFIX)
  const policy = policyWith(policyOptions(config))
  const registry = new Registry()
  const endCollecting = collectMetrics(facts, registry, lane.queueName)
  const server = await listen(registry, config, port)
  // The worker's own connections tell of the same trouble.
  const redis = connect(config.REDIS_URL, WORKER_CONNECTION, () => {})
  const throttle = new Throttle(redis, lane, policy)
  const flushQueue = new FlushQueue(redis, lane)
  const deadLetters = new DeadLetters(redis, lane, new PendingUpdates(redis, lane, policy), flushQueue, policy)
  const laneMetrics = sampleLane({ redis, lane, throttle, flushQueue, deadLetters }, registry)
  return {
    url: server.url,
    async close() {
      await server.close()
      endCollecting()
      // BullMQ's queues wait for a connection that is being made, which may take as long as Redis is away.
      redis.disconnect()
      await Promise.allSettled([laneMetrics.close(), flushQueue.close(), deadLetters.close()])
    },
  }
}

async function listen(registry: Registry, config: Config, port: number): Promise<MetricsServer> {
  refuseOpenAddress(config)
  const { HOST: host, AUTH_TOKEN: authToken } = config
  try {
    return await startMetricsServer(registry, { host, port, authToken })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ConfigurationError([`METRICS_PORT is ${port}, which can't be listened on: ${why}`])
  }
}
