/**
 * The producer's promises:
 *
 *  - A call returns once Redis has the writes, and never waits for Sift.
 *  - It ends within two seconds. Where it ends as failed, what it asked for may have happened, but does not happen later;
 *    sending it again is safe.
 *  - Updates are merged in the order of the calls.
 *  - Merged, but adding the flush job failed: acknowledged. The sweeper adds it.
 *  - A client key in conflict is acknowledged once its dead letter is recorded.
 */
import { setImmediate } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { checkProducerOptions, DEFAULT_MAX_REDIS_MEMORY_PERCENT } from '../config.js'
import { DeadLetters } from '../dead-letters/dead-letters.js'
import { RedisUnavailableError } from '../errors.js'
import { FactEmitter } from '../events.js'
import { FlushQueue } from '../flush-queue/flush-queue.js'
import type { Merged, MergeUpdate } from '../pending/merge.js'
import { PendingUpdates } from '../pending/pending-updates.js'
import { type Policy, policyWith } from '../policy.js'
import { connect, PRODUCER_CONNECTION } from '../redis/connection.js'
import { before } from '../redis/deadline.js'
import { type Lane, laneOf } from '../redis/lane.js'
import type { RedisSource } from '../redis/redis-source.js'
import { type ParseResult, parseRunUpdate, parseRunUpdateText, type RunUpdate } from '../run/parse.js'
import { traceUpdates } from '../tracing/update-spans.js'
import { EnqueueInterruptedError, type EnqueueResult, rejection, toResult } from './enqueue-result.js'
import { MergeQueue } from './merge-queue.js'

/** `enqueueMany` parses one chunk while Redis merges those before it, and BullMQ adds the jobs of the oldest. */
const CHUNK_SIZE = 100
const CHUNKS_ON_THE_WAY = 5

export interface ProducerOptions extends Partial<Pick<Policy, 'coalesceWindowMs'>> {
  readonly redis: RedisSource
  /** The lane. Default: `run-updates`. */
  readonly queueName?: string
  /** Prefix of all keys; needs its braces on a Redis Cluster. Default: `{sift}`. */
  readonly queuePrefix?: string
  /** At this many pending runs, no new one is taken (`overloaded`). Default: no limit. */
  readonly maxPendingRuns?: number
  /** Above this share of Redis's `maxmemory`, no new run is taken. Default: 90. */
  readonly maxRedisMemoryPercent?: number
}

export interface RunUpdateProducer {
  /** What happens, as typed facts. */
  readonly facts: FactEmitter
  /**
   * Takes one update in. Resolves once Redis has it.
   * @throws UpdateRejectedError where it can't be taken (`code`, `path`).
   * @throws RedisUnavailableError where Redis did not answer within two seconds or refuses the user, or the producer is closed.
   */
  enqueue(update: RunUpdate): Promise<EnqueueResult>
  /**
   * Takes many in: one result for each, in their order; a bad one does not stop the rest.
   * @throws EnqueueInterruptedError (a RedisUnavailableError) with the `results` so far, where Redis went away.
   */
  enqueueMany(updates: readonly RunUpdate[]): Promise<EnqueueResult[]>
  /**
   * The same for updates as JSON text, such as lines of NDJSON: what is no JSON or larger than 64 KiB is rejected, too.
   * @throws EnqueueInterruptedError (a RedisUnavailableError) with the `results` so far, where Redis went away.
   */
  enqueueTexts(texts: readonly string[]): Promise<EnqueueResult[]>
  /**
   * The same for updates that were parsed already.
   * @throws EnqueueInterruptedError as `enqueueMany`
   */
  enqueueParsed(updates: readonly MergeUpdate[]): Promise<EnqueueResult[]>
  /** Lets calls in flight end, then closes the connection. Calls that come later fail at once. */
  close(): Promise<void>
}

/**
 * A Redis that is away is told by each call, not here.
 * @param facts where what happens is told; a worker tells its intake's facts as its own
 * @throws ConfigurationError for options that cannot work.
 */
export function createProducer(options: ProducerOptions, facts: FactEmitter = new FactEmitter()): RunUpdateProducer {
  return new LaneProducer(options, facts)
}

class LaneProducer implements RunUpdateProducer {
  readonly facts: FactEmitter
  readonly #policy: Policy
  readonly #lane: Lane
  readonly #redis: Redis
  readonly #mergeQueue: MergeQueue
  readonly #pending: PendingUpdates
  /** BullMQ's queues, made when first needed, and made anew after a failure: one that failed to start never recovers. */
  #queues: { readonly flushQueue: FlushQueue; readonly deadLetters: DeadLetters } | undefined
  readonly #inFlight = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(options: ProducerOptions, facts: FactEmitter) {
    checkProducerOptions(options)
    this.facts = facts
    const { coalesceWindowMs } = options
    this.#policy = policyWith(coalesceWindowMs === undefined ? {} : { coalesceWindowMs })
    this.#lane = laneOf(options.queueName, options.queuePrefix)
    this.#redis = connect(options.redis, PRODUCER_CONNECTION, (error) => {
      this.#mergeQueue.noteTrouble(error)
      this.facts.emit('redis:trouble', { error })
    })
    this.#pending = new PendingUpdates(this.#redis, this.#lane, this.#policy)
    const limits = {
      maxPendingRuns: options.maxPendingRuns ?? 0,
      maxRedisMemoryPercent: options.maxRedisMemoryPercent ?? DEFAULT_MAX_REDIS_MEMORY_PERCENT,
    }
    this.#mergeQueue = new MergeQueue(this.#redis, this.#lane, this.#policy, limits, this.facts)
  }

  async enqueue(update: RunUpdate): Promise<EnqueueResult> {
    this.#refuseIfClosed()
    const [result] = await this.#track(this.#enqueueBatch([update], parseRunUpdate))
    if (!result) throw new TypeError('one update gave no result')
    if (result.error) throw result.error
    return result
  }

  async enqueueMany(updates: readonly RunUpdate[]): Promise<EnqueueResult[]> {
    this.#refuseIfClosed()
    if (!Array.isArray(updates)) throw new TypeError('enqueueMany takes an array of updates; enqueue takes one alone')
    return await this.#track(this.#enqueueBatches(updates, parseRunUpdate))
  }

  async enqueueTexts(texts: readonly string[]): Promise<EnqueueResult[]> {
    this.#refuseIfClosed()
    if (!Array.isArray(texts)) throw new TypeError('enqueueTexts takes an array of texts, one an update')
    return await this.#track(this.#enqueueBatches(texts, parseRunUpdateText))
  }

  async enqueueParsed(updates: readonly MergeUpdate[]): Promise<EnqueueResult[]> {
    return await this.#track(this.#enqueueBatches(updates, (update) => ({ ok: true, update })))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#inFlight)
    await this.#closeQueues()
    this.#redis.disconnect()
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new RedisUnavailableError('The producer is closed. The update was not taken.')
  }

  async #enqueueBatches<Input>(
    inputs: readonly Input[],
    parse: (input: Input) => ParseResult,
  ): Promise<EnqueueResult[]> {
    const results: EnqueueResult[] = []
    const onTheWay: Promise<EnqueueResult[]>[] = []
    const takeOldest = async () => {
      for (const result of (await onTheWay[0]) ?? []) results.push(result)
      onTheWay.shift()
    }
    try {
      for (let start = 0; start < inputs.length; start += CHUNK_SIZE) {
        const chunk = this.#enqueueBatch(inputs.slice(start, start + CHUNK_SIZE), parse)
        // Its failure is told in its turn, and must not be taken for an unhandled one before.
        chunk.catch(() => {})
        onTheWay.push(chunk)
        if (onTheWay.length === CHUNKS_ON_THE_WAY) await takeOldest()
        // Lets the chunk leave, so that Redis is at work on it while the next one is parsed.
        else await setImmediate()
      }
      while (onTheWay.length > 0) await takeOldest()
    } catch (error) {
      // What is still on its way must have ended before anyone is told of a failure: nothing happens later.
      await Promise.allSettled(onTheWay)
      if (error instanceof RedisUnavailableError)
        throw new EnqueueInterruptedError(error.message, results, { cause: error })
      throw error
    }
    return results
  }

  async #enqueueBatch<Input>(inputs: readonly Input[], parse: (input: Input) => ParseResult): Promise<EnqueueResult[]> {
    const deadline = performance.now() + this.#policy.producerTimeoutMs
    const parsed: ParseResult[] = []
    const good: MergeUpdate[] = []
    // Unlike `map`, it does not pass over a hole in the array: each place has its result.
    for (let index = 0; index < inputs.length; index++) {
      const result = parse(inputs[index] as Input)
      parsed.push(result)
      if (result.ok) good.push(result.update)
    }
    const merged = good.length > 0 ? await traceUpdates(good, (updates) => this.#merge(updates, deadline)) : []
    let next = 0
    const results = parsed.map((result, index) => {
      if (!result.ok) return rejection(readRunId(inputs[index]), result.error)
      const outcome = merged[next++]
      if (!outcome) throw new TypeError('an update was merged without a result')
      return toResult(result.update.runId, outcome)
    })
    this.#tellRejected(parsed, results)
    return results
  }

  async #merge(updates: readonly MergeUpdate[], deadline: number): Promise<readonly Merged[]> {
    const merged = await this.#mergeQueue.merge(updates, deadline)
    this.#tell(updates, merged)
    const isDone = merged.every(({ addJob, conflictFields }) => !addJob && conflictFields.length === 0)
    if (!isDone) await this.#finish(updates, merged, deadline)
    return merged
  }

  #tell(updates: readonly MergeUpdate[], merged: readonly Merged[]): void {
    if (this.facts.listenerCount('update:merged') === 0) return
    for (const [index, { status, stamp }] of merged.entries()) {
      const { runId = '', source = '' } = updates[index] ?? {}
      this.facts.emit('update:merged', { runId, result: status, source, stamp })
    }
  }

  #tellRejected(parsed: readonly ParseResult[], results: readonly EnqueueResult[]): void {
    if (this.facts.listenerCount('update:rejected') === 0) return
    for (const [index, { runId, error }] of results.entries()) {
      if (!error) continue
      const result = parsed[index]
      const source = result?.ok ? (result.update.source ?? '') : ''
      this.facts.emit('update:rejected', { runId, source, code: error.code })
    }
  }

  /** What a merge leaves to its caller: the letters of client keys in conflict, and the flush jobs. */
  async #finish(updates: readonly MergeUpdate[], merged: readonly Merged[], deadline: number): Promise<void> {
    await this.#addFlushJobs(updates, merged, deadline)
    const conflicts = updates.flatMap((update, index) => {
      const outcome = merged[index]
      return outcome && outcome.conflictFields.length > 0 ? [{ update, outcome }] : []
    })
    if (conflicts.length === 0) return
    try {
      await before(deadline, () =>
        Promise.all(conflicts.map(({ update, outcome }) => this.#recordConflict(update, outcome))),
      )
    } catch (error) {
      this.#dropQueues()
      const message =
        'Redis did not take the dead letter of a client key conflict in time. Sending the update again is safe.'
      throw new RedisUnavailableError(message, { cause: error })
    }
  }

  async #addFlushJobs(updates: readonly MergeUpdate[], merged: readonly Merged[], deadline: number): Promise<void> {
    const jobs = updates.flatMap(({ runId, origin }, index) => {
      const outcome = merged[index]
      if (!outcome?.addJob || outcome.generation === null) return []
      const job = { runId, generation: outcome.generation, delayMs: this.#policy.coalesceWindowMs }
      return [origin === undefined ? job : { ...job, origin }]
    })
    if (jobs.length === 0) return
    try {
      await before(deadline, () => this.#openQueues().flushQueue.add(jobs))
    } catch (cause) {
      // The writes are in Redis, so they are acknowledged; the sweeper finds that the job is missing.
      this.#dropQueues()
      const error = cause instanceof Error ? cause : new Error(String(cause))
      this.facts.emit('redis:trouble', { error })
    }
  }

  async #recordConflict(
    { runId, writes, source }: MergeUpdate,
    { stamp, conflictFields, heldClientKey }: Merged,
  ): Promise<void> {
    const held = JSON.stringify(heldClientKey)
    const letter = await this.#openQueues().deadLetters.record({
      runId,
      writes: conflictFields.map((path) => ({ path, value: writes[path] ?? null, stamp, source: source ?? '' })),
      reason: 'client_key_conflict',
      message: `A client key can be set once, and the key ${held} came first for this run.`,
      ...(heldClientKey !== null && { heldClientKey }),
      tries: [],
    })
    const { id, updateMask, reason, message } = letter
    this.facts.emit('dead-letter:recorded', { id, runId, updateMask, reason, message })
  }

  #openQueues(): { flushQueue: FlushQueue; deadLetters: DeadLetters } {
    if (!this.#queues) {
      const flushQueue = new FlushQueue(this.#redis, this.#lane)
      const deadLetters = new DeadLetters(this.#redis, this.#lane, this.#pending, flushQueue, this.#policy)
      this.#queues = { flushQueue, deadLetters }
    }
    return this.#queues
  }

  #dropQueues(): void {
    void this.#closeQueues()
  }

  async #closeQueues(): Promise<void> {
    const queues = this.#queues
    this.#queues = undefined
    if (queues) await Promise.allSettled([queues.flushQueue.close(), queues.deadLetters.close()])
  }

  async #track<Result>(call: Promise<Result>): Promise<Result> {
    this.#inFlight.add(call)
    try {
      return await call
    } finally {
      this.#inFlight.delete(call)
    }
  }
}

/** Of an update that the parser has refused: whatever it names, if it names a run at all. */
function readRunId(update: unknown): string | null {
  const runId = (update as { run?: { runId?: unknown } } | null | undefined)?.run?.runId
  return typeof runId === 'string' ? runId : null
}
