import { Registry } from 'prom-client'
import { DeadLetters } from '../dead-letters/dead-letters.js'
import { FlushQueue } from '../flush-queue/flush-queue.js'
import { type Logger, logFacts } from '../logging.js'
import { collectMetrics } from '../metrics/fact-metrics.js'
import { sampleLane } from '../metrics/lane-metrics.js'
import { checkLayout } from '../pending/layout.js'
import { PendingUpdates } from '../pending/pending-updates.js'
import { type Policy, policyWith } from '../policy.js'
import { createProducer, type ProducerOptions } from '../producer/producer.js'
import { becomeReady } from '../redis/become-ready.js'
import { connect, WORKER_CONNECTION } from '../redis/connection.js'
import { laneOf } from '../redis/lane.js'
import type { ConnectionOptions } from '../redis/redis-source.js'
import { readServerSetup, refuseOldServer } from '../redis/server-check.js'
import { type Rate, Throttle } from '../throttle/throttle.js'
import type { RunUpdateWorker } from '../worker/worker.js'
import { OutcomeChannel } from './outcome-channel.js'
import { buildServer } from './server.js'

export interface LaneServerOptions extends ProducerOptions {
  readonly policy: Partial<Policy>
  /** Where no worker has ever set the lane's rate. */
  readonly rate: Rate
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  readonly authToken?: string | undefined
  readonly logger: Logger
  /** One that runs in the same process; it stays the caller's. */
  readonly worker?: RunUpdateWorker | undefined
  /** How long a JSON body may take to come. Default: 30 s. */
  readonly bodyTimeoutMs?: number
}

/**
 * The HTTP interface of a lane with all that it needs.
 *  - serving   from the start
 *  - closing   from `stopServing`: not ready, and everything is still taken in. Load balancers need that moment.
 *  - closed    by `close`
 */
export interface LaneServer {
  /** Without a slash at its end. */
  readonly url: string
  stopServing(): void
  /** Lets requests in flight end; those that have not after `timeoutMs` are cut. */
  close(options: { timeoutMs: number }): Promise<void>
}

/** A client waits, so a Redis that is away is told at once, and one that hangs within moments. */
const REQUEST_CONNECTION = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 2_500,
  commandTimeout: 2_500,
  // A server may be gone without a word, and its address lead to another one. Nothing is sent twice, so this is safe here.
  socketTimeout: 5_000,
} as const satisfies ConnectionOptions

/**
 * Listens.
 * @throws RedisUnavailableError where Redis does not answer within a few seconds, ConfigurationError where it can't be
 * used, and what Node throws where the address can't be listened on.
 */
export async function startLaneServer(options: LaneServerOptions): Promise<LaneServer> {
  const { logger, worker, rate, host, port, authToken, bodyTimeoutMs } = options
  const lane = laneOf(options.queueName, options.queuePrefix)
  const policy = policyWith(options.policy)
  // The producer's connection, to the same server, tells of the same trouble.
  let lastError: Error | undefined
  const redis = connect(options.redis, REQUEST_CONNECTION, (error) => {
    lastError = error
  })
  const subscriber = connect(options.redis, WORKER_CONNECTION, () => {})
  const producer = createProducer(options)
  const disconnect = () => {
    for (const connection of [redis, subscriber]) connection.disconnect()
  }
  try {
    await becomeReady(redis, () => lastError)
    refuseOldServer(await readServerSetup(redis))
    await checkLayout(redis, lane)
    const outcomes = new OutcomeChannel(subscriber, lane)
    await outcomes.open()

    const registry = new Registry()
    const ends = [logFacts(producer.facts, logger), collectMetrics(producer.facts, registry, lane.queueName)]
    let isWorkerReady = worker === undefined
    if (worker) ends.push(collectMetrics(worker.facts, registry, lane.queueName))
    worker?.ready().then(
      () => {
        isWorkerReady = true
      },
      () => {},
    )
    const pending = new PendingUpdates(redis, lane, policy)
    const throttle = new Throttle(redis, lane, policy)
    // Only now: BullMQ's queues never recover from a start without Redis.
    const flushQueue = new FlushQueue(redis, lane)
    const deadLetters = new DeadLetters(redis, lane, pending, flushQueue, policy)
    const laneParts = { redis, lane, pending, throttle, flushQueue, deadLetters, rate }
    const laneMetrics = sampleLane(laneParts, registry)

    let isClosing = false
    const server = await buildServer({
      ...laneParts,
      producer,
      outcomes,
      registry,
      logger,
      authToken,
      isClosing: () => isClosing,
      isWorkerReady: () => isWorkerReady,
      ...(bodyTimeoutMs !== undefined && { bodyTimeoutMs }),
    })
    const url = await server.listen({ host, port })
    return {
      url,
      stopServing() {
        isClosing = true
      },
      async close({ timeoutMs }) {
        isClosing = true
        // Their writes are in Redis: they are answered with 202.
        outcomes.close()
        const cut = setTimeout(() => server.server.closeAllConnections(), timeoutMs)
        await server.close()
        clearTimeout(cut)
        for (const end of ends) end()
        await producer.close()
        // BullMQ's queues wait for a connection that is being made, which may take as long as Redis is away.
        disconnect()
        await Promise.allSettled([laneMetrics.close(), flushQueue.close(), deadLetters.close()])
      },
    }
  } catch (error) {
    await producer.close()
    disconnect()
    throw error
  }
}
