import { once, setMaxListeners } from 'node:events'
import { Worker as BullWorker } from 'bullmq'
import type { Redis } from 'ioredis'
import { checkWorkerOptions, DEFAULT_CONCURRENCY, DEFAULT_RATE } from '../config.js'
import { createDeadLetterWorker } from '../dead-letters/dead-letter-worker.js'
import { DeadLetters } from '../dead-letters/dead-letters.js'
import { ConfigurationError } from '../errors.js'
import { FactEmitter } from '../events.js'
import type { FlushJobData } from '../flush-queue/flush-job.js'
import { FlushQueue } from '../flush-queue/flush-queue.js'
import { openIntakeQueue } from '../intake/intake-queue.js'
import { createIntakeWorker } from '../intake/intake-worker.js'
import { checkLayout } from '../pending/layout.js'
import { PendingUpdates } from '../pending/pending-updates.js'
import { type Policy, policyWith } from '../policy.js'
import { createProducer, type RunUpdateProducer } from '../producer/producer.js'
import { connect, WORKER_CONNECTION } from '../redis/connection.js'
import { type Lane, laneOf } from '../redis/lane.js'
import type { MendingQueue } from '../redis/mending-queue.js'
import type { RedisSource } from '../redis/redis-source.js'
import { mayEvict, readServerSetup, refuseOldServer } from '../redis/server-check.js'
import { ApiKey } from '../sift/api-key.js'
import { createSiftClient, type SiftClient } from '../sift/client.js'
import { type Rate, Throttle } from '../throttle/throttle.js'
import { queueTelemetry } from '../tracing/job-telemetry.js'
import { FlushProcessor } from './flush-processor.js'
import { LaneGate } from './lane-gate.js'
import { Sweeper } from './sweeper.js'

export interface WorkerOptions extends Partial<Policy> {
  readonly redis: RedisSource
  readonly sift: {
    /** Such as https://api.siftstack.com. */
    readonly baseUrl: string
    readonly apiKey: string | ApiKey
  }
  /** Requests to Sift, over all processes of the lane. Default: 50 in 1,000 ms. */
  readonly rateLimit?: Rate
  /** Flush jobs at a time in this worker. Default: 20. */
  readonly concurrency?: number
  /** The lane. Default: `run-updates`. */
  readonly queueName?: string
  /** Prefix of all keys; needs its braces on a Redis Cluster. Default: `{sift}`. */
  readonly queuePrefix?: string
}

/** What a closing worker waits for beyond the time-out of a request in flight. */
const CLOSING_RESERVE_MS = 5_000
/** How long what was cut has to put its jobs back. */
const LAST_WORDS_MS = 1_000

/** Completed jobs are kept for an hour, or the last 1,000, for dashboards. */
const KEPT_JOBS = { age: 3_600, count: 1_000 }

export interface RunUpdateWorker {
  /** What happens, as typed facts. */
  readonly facts: FactEmitter
  /**
   * Resolves once jobs are taken.
   * @throws ConfigurationError where the lane's data is of another version, or Redis is too old or refuses the database.
   * @throws Error where the worker is closed before.
   */
  ready(): Promise<void>
  /**
   * Takes no more jobs, gives waiting ones back, and lets requests in flight finish; those that have not after
   * `timeoutMs` are cut. Default: the request time-out and five seconds. Resolves once all connections are closed, also
   * where Redis is away. Called again: the same promise, with the new time.
   */
  close(options?: { timeoutMs?: number }): Promise<void>
}

/**
 * Sends what is pending: one PATCH a run and window. Returns at once; `ready()` tells when it takes jobs. Trouble with
 * Redis is a fact (`redis:trouble`), never an unhandled rejection: it goes on when Redis is back.
 * @throws ConfigurationError for a base URL, an API key or options that cannot work.
 */
export function createWorker(options: WorkerOptions): RunUpdateWorker {
  return new LaneWorker(options)
}

class LaneWorker implements RunUpdateWorker {
  readonly facts = new FactEmitter()
  readonly #lane: Lane
  readonly #redis: Redis
  readonly #subscriber: Redis
  readonly #sift: SiftClient
  readonly #throttle: Throttle
  readonly #rate: Rate
  readonly #flushQueue: FlushQueue
  readonly #deadLetters: DeadLetters
  readonly #flushWorker: BullWorker<FlushJobData>
  readonly #deadLetterWorker: BullWorker
  readonly #intakeProducer: RunUpdateProducer
  readonly #intakeQueue: MendingQueue
  readonly #intakeWorker: BullWorker
  readonly #gate: LaneGate
  readonly #sweeper: Sweeper
  /** Aborted by `close`: who waits for a slot gives its job back. */
  readonly #stopping = new AbortController()
  /** Aborted when `close` has waited long enough: requests in flight are cut. */
  readonly #giveUp = new AbortController()
  /** Aborted when nothing more is waited for. */
  readonly #gone = new AbortController()
  /** Aborted, with the reason, where the worker can't become ready any more. Without effect once it is. */
  readonly #neverReady = new AbortController()
  readonly #ready: Promise<void>
  readonly #patienceMs: number
  #closing: Promise<void> | undefined
  #patience: NodeJS.Timeout | undefined

  constructor(options: WorkerOptions) {
    checkWorkerOptions(options)
    const policy = policyWith(options)
    this.#patienceMs = policy.requestTimeoutMs + CLOSING_RESERVE_MS
    const apiKey = typeof options.sift.apiKey === 'string' ? ApiKey.literal(options.sift.apiKey) : options.sift.apiKey
    this.#sift = createSiftClient({ baseUrl: options.sift.baseUrl, apiKey, requestTimeoutMs: policy.requestTimeoutMs })
    this.#rate = options.rateLimit ?? DEFAULT_RATE
    // Each job that is on its way listens to both.
    setMaxListeners(0, this.#stopping.signal, this.#giveUp.signal)
    this.#lane = laneOf(options.queueName, options.queuePrefix)
    let isInTrouble = false
    const tellTrouble = (error: Error) => {
      isInTrouble = true
      if (error instanceof ConfigurationError) this.#neverReady.abort(error)
      this.facts.emit('redis:trouble', { error })
    }
    const tellRecovery = () => {
      if (!isInTrouble || this.#redis.status !== 'ready' || this.#subscriber.status !== 'ready') return
      isInTrouble = false
      this.facts.emit('redis:recovered', {})
    }
    this.#redis = connect(options.redis, WORKER_CONNECTION, tellTrouble)
    this.#subscriber = connect(options.redis, WORKER_CONNECTION, tellTrouble)
    for (const connection of [this.#redis, this.#subscriber]) connection.on('ready', tellRecovery)
    const lane = this.#lane
    const redis = this.#redis
    const pending = new PendingUpdates(redis, lane, policy)
    this.#throttle = new Throttle(redis, lane, policy)
    this.#flushQueue = new FlushQueue(redis, lane)
    this.#deadLetters = new DeadLetters(redis, lane, pending, this.#flushQueue, policy)

    const queueOptions = { connection: redis, prefix: lane.prefix }
    this.#flushWorker = new BullWorker<FlushJobData>(
      lane.queueName,
      (job, token) => processor.process(job, token ?? ''),
      {
        ...queueOptions,
        ...queueTelemetry(),
        autorun: false,
        concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
        lockDuration: policy.lockDurationMs,
        stalledInterval: policy.stalledIntervalMs,
        // By default the second kill of a worker would fail its jobs unseen.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        removeOnComplete: KEPT_JOBS,
        removeOnFail: KEPT_JOBS,
      },
    )
    this.#gate = new LaneGate(this.#flushWorker, this.#throttle, policy, this.facts)
    const processor = new FlushProcessor({
      pending,
      policy,
      apiKey,
      throttle: this.#throttle,
      setRate: () => this.#setRate(),
      sift: this.#sift,
      deadLetters: this.#deadLetters,
      flushQueue: this.#flushQueue,
      gate: this.#gate,
      facts: this.facts,
      queueName: lane.queueName,
      stopping: this.#stopping.signal,
      giveUp: this.#giveUp.signal,
    })
    this.#flushWorker.on('lockRenewalFailed', (jobIds) => {
      for (const jobId of jobIds) processor.abort(jobId)
    })
    this.#deadLetterWorker = createDeadLetterWorker(redis, lane, this.#deadLetters, policy, this.facts)
    const { queueName, prefix: queuePrefix } = lane
    const { coalesceWindowMs } = policy
    this.#intakeProducer = createProducer(
      { redis: options.redis, queueName, queuePrefix, coalesceWindowMs },
      this.facts,
    )
    this.#intakeQueue = openIntakeQueue(redis, lane)
    this.#intakeWorker = createIntakeWorker(redis, lane, this.#intakeProducer, policy)
    const queues = [this.#flushQueue.queue, this.#deadLetters.queue, this.#intakeQueue]
    for (const [index, worker] of this.#workers.entries()) {
      worker.on('error', (error) => {
        tellTrouble(error)
        void this.#mend(queues[index], error).catch(tellTrouble)
      })
      // Each has a connection of its own besides, which may be the last to come back.
      worker.on('ready', tellRecovery)
    }
    this.#sweeper = new Sweeper({
      redis,
      lane,
      policy,
      pending,
      flushQueue: this.#flushQueue,
      deadLetters: this.#deadLetters,
      queues,
      facts: this.facts,
      isResting: () => this.#gate.isClosed,
    })
    this.#ready = Promise.race([this.#start(), whenAborted(this.#neverReady.signal)])
    // Whoever asks for ready() is told; whoever does not must not meet an unhandled rejection.
    this.#ready.catch(() => {})
  }

  ready(): Promise<void> {
    return this.#ready
  }

  get #workers(): readonly BullWorker[] {
    return [this.#flushWorker, this.#deadLetterWorker, this.#intakeWorker]
  }

  async #start(): Promise<void> {
    const server = await readServerSetup(this.#redis)
    refuseOldServer(server)
    if (mayEvict(server)) this.facts.emit('redis:may-evict', { policy: server.evictionPolicy })
    await checkLayout(this.#redis, this.#lane)
    await this.#setRate()
    await this.#gate.listen(this.#subscriber, this.#lane)
    await this.#gate.look()
    this.#neverReady.signal.throwIfAborted()
    for (const worker of this.#workers) {
      worker.run().catch((error: Error) => this.facts.emit('redis:trouble', { error }))
    }
    this.#sweeper.start()
    this.facts.emit('worker:ready', { lane: this.#lane.queueName })
  }

  /** At the start, and where Redis comes back without it. */
  async #setRate(): Promise<void> {
    const before = await this.#throttle.setRate(this.#rate)
    if (before === null) return
    this.facts.emit('rate:differs', { before, now: `${this.#rate.max} in ${this.#rate.durationMs} ms` })
  }

  async #mend(queue: Pick<MendingQueue, 'name' | 'mendActive'> | undefined, error: Error): Promise<void> {
    const jobIds = (await queue?.mendActive(error)) ?? []
    if (jobIds.length === 0) return
    const message = `jobs of the queue ${queue?.name} could not be read, and come again as far as they can be: ${jobIds.join(', ')}`
    this.facts.emit('redis:trouble', { error: new Error(message, { cause: error }) })
  }

  close({ timeoutMs = this.#patienceMs }: { timeoutMs?: number } = {}): Promise<void> {
    clearTimeout(this.#patience)
    this.#patience = setTimeout(() => this.#loseThePatience(), timeoutMs)
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#neverReady.abort(new Error('the worker was closed before it was ready'))
    this.#gate.end()
    this.#stopping.abort()
    const ended = Promise.all([...this.#workers.map((worker) => worker.close()), this.#sweeper.stop()])
    // BullMQ's close waits for the end of a connection that was just being made again, and ioredis never tells that.
    await Promise.race([ended, once(this.#gone.signal, 'abort')])
    clearTimeout(this.#patience)
    const parts = [this.#intakeProducer, this.#intakeQueue, this.#flushQueue, this.#deadLetters, this.#sift]
    await Promise.all(parts.map((part) => part.close()))
    for (const connection of [this.#redis, this.#subscriber]) connection.disconnect()
    this.facts.emit('worker:closed', { lane: this.#lane.queueName })
  }

  /** Cuts what is in flight. Where Redis is away its jobs can't even be put back: they stall, and come again. */
  #loseThePatience(): void {
    this.#giveUp.abort(new Error('the worker is closing'))
    this.#patience = setTimeout(() => {
      for (const connection of [this.#redis, this.#subscriber]) {
        // Only so does ioredis give up on commands that wait for a connection; `disconnect` alone would keep them for ever.
        connection.options.maxRetriesPerRequest = 0
        connection.disconnect(true)
      }
      this.#patience = setTimeout(() => this.#gone.abort(), LAST_WORDS_MS)
    }, LAST_WORDS_MS)
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
