import { randomUUID } from 'node:crypto'
import { DeadLetters } from '../../src/dead-letters/dead-letters.js'
import { FlushQueue } from '../../src/flush-queue/flush-queue.js'
import { PendingUpdates } from '../../src/pending/pending-updates.js'
import { type Policy, policyWith } from '../../src/policy.js'
import { createProducer, type ProducerOptions, type RunUpdateProducer } from '../../src/producer/producer.js'
import { type Lane, laneOf } from '../../src/redis/lane.js'
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.js'
import { Throttle } from '../../src/throttle/throttle.js'
import { createWorker, type RunUpdateWorker, type WorkerOptions } from '../../src/worker/worker.js'
import type { TestRedis } from './redis.js'
import { waitFor } from './wait-for.js'

/** The waits of a lane, divided so that a test takes moments. */
export const QUICK: Partial<Policy> = {
  coalesceWindowMs: 50,
  requestTimeoutMs: 1_000,
  ambiguityGraceMs: 100,
  notFoundGraceMs: 300,
  claimSlackMs: 500,
  quickRetryMs: 5,
  minBackoffMs: 20,
  maxBackoffMs: 200,
  otherRunPauseMs: 50,
  firstHoldMs: 50,
  longestProbePauseMs: 200,
  laneLookMs: 100,
  sweepEveryMs: 100,
  overdueSlackMs: 50,
}

/** A lane of its own in a test's Redis, with a simulator behind it. */
export interface Pipeline {
  readonly lane: Lane
  readonly simulator: Simulator
  readonly producer: RunUpdateProducer
  readonly pending: PendingUpdates
  readonly throttle: Throttle
  readonly flushQueue: FlushQueue
  readonly deadLetters: DeadLetters
  /** Another producer of the lane, closed with it. */
  addProducer(options?: Partial<ProducerOptions>): RunUpdateProducer
  /** A worker of the lane, closed with it. */
  addWorker(options?: Partial<WorkerOptions>): RunUpdateWorker
  /** Waits until nothing is pending and no letter is waiting to be recorded. */
  drained(timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

export async function startPipeline(redis: TestRedis, options: SimulatorOptions = {}): Promise<Pipeline> {
  const simulator = await startSimulator({ createRuns: true, ...options })
  const queueName = `lane-${randomUUID().slice(0, 8)}`
  const lane = laneOf(queueName)
  const client = redis.client({ maxRetriesPerRequest: null })
  const policy = policyWith(QUICK)
  const pending = new PendingUpdates(client, lane, policy)
  const flushQueue = new FlushQueue(client, lane)
  const deadLetters = new DeadLetters(client, lane, pending, flushQueue, policy)
  const closables: { close(): Promise<void> }[] = []
  const addProducer = (more: Partial<ProducerOptions> = {}) => {
    const producer = createProducer({ redis: redis.url, queueName, coalesceWindowMs: 50, ...more })
    closables.push(producer)
    return producer
  }
  return {
    lane,
    simulator,
    pending,
    throttle: new Throttle(client, lane, policy),
    flushQueue,
    deadLetters,
    producer: addProducer(),
    addProducer,
    addWorker(more = {}) {
      const worker = createWorker({
        redis: redis.url,
        queueName,
        sift: { baseUrl: simulator.url, apiKey: 'a-key' },
        rateLimit: { max: 1_000, durationMs: 1_000 },
        ...QUICK,
        ...more,
      })
      closables.push(worker)
      return worker
    },
    async drained(timeoutMs = 10_000) {
      await waitFor(
        'the lane to drain',
        async () => {
          if ((await client.zcard(lane.index)) > 0) return false
          const counts = await deadLetters.queue.getJobCounts('waiting', 'active', 'delayed')
          return Object.values(counts).every((count) => count === 0)
        },
        { timeoutMs },
      )
    },
    async close() {
      await Promise.all(closables.map((closable) => closable.close()))
      await Promise.all([flushQueue.close(), deadLetters.close()])
      await simulator.close()
    },
  }
}
