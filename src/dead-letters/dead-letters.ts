/**
 * The dead letters of a lane: refused sets of fields, as failed jobs of a BullMQ queue of their own, so that every
 * BullMQ dashboard lists them with their cause and can retry them.
 *
 *  - A letter exists once `add` has returned, and counts in every state: BullMQ makes no failed job by its API, so a
 *    worker (./dead-letter-worker.ts) fails it on sight.
 *  - Recorded, redriven and removed are counted; removed are those that are gone without a redrive, by any means.
 */
import { type Job, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { FlushQueue } from '../flush-queue/flush-queue.js'
import type { PendingUpdates, Redriven } from '../pending/pending-updates.js'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import { type DeadLetter, type Refusal, toDeadLetter } from './dead-letter.js'
import { readMendedWrites } from './mended-letter.js'

export const DEAD_LETTER_JOB_NAME = 'dead-letter'

/** Every state that a letter's job can be in; one that is not failed yet, or being retried, is a letter, too. */
const STATES = ['failed', 'waiting', 'active', 'delayed', 'prioritized'] as const

const PAGE = 500

/** Letters that are counted as gone are at least this old: a younger one may be on its way into its queue. */
const RECKONING_AGE_MS = 60_000

export interface DeadLetterCounts {
  readonly recorded: number
  readonly redriven: number
  readonly removed: number
}

export class DeadLetters {
  readonly queue: Queue<DeadLetter>
  readonly #redis: Redis
  readonly #lane: Lane
  readonly #pending: PendingUpdates
  readonly #flushQueue: FlushQueue
  readonly #policy: Policy

  constructor(redis: Redis, lane: Lane, pending: PendingUpdates, flushQueue: FlushQueue, policy: Policy) {
    this.#redis = redis
    this.#lane = lane
    this.#pending = pending
    this.#flushQueue = flushQueue
    this.#policy = policy
    this.queue = new Queue(lane.deadLetterQueueName, { connection: redis, prefix: lane.prefix })
    this.queue.on('error', () => {})
  }

  /**
   * Records a refusal; only then may its writes be set aside. The same refusal again (a crash came in between) is the
   * same letter.
   * @throws where it can't be made sure that the letter is there.
   */
  async record(refusal: Refusal): Promise<DeadLetter> {
    const letter = toDeadLetter(refusal, new Date())
    await this.#pending.keepSent(letter.runId)
    if ((await this.#redis.zadd(this.#lane.deadLetterIds, 'NX', Date.now(), letter.id)) === 1) {
      await this.#redis.hincrby(this.#lane.deadLetterCounts, 'recorded', 1)
    }
    await this.queue.add(DEAD_LETTER_JOB_NAME, letter, {
      jobId: letter.id,
      attempts: 1,
      removeOnComplete: true,
      removeOnFail: false,
    })
    if (!(await this.queue.getJob(letter.id))) {
      throw new Error(`the dead letter ${letter.id} was added and is not there`)
    }
    return letter
  }

  async find(id: string): Promise<Job<DeadLetter> | undefined> {
    const job = await this.queue.getJob(id)
    return job && isLetter(job.data) ? job : undefined
  }

  /** All letters, in every state, newest first within a state. */
  async *list(): AsyncGenerator<Job<DeadLetter>> {
    const seen = new Set<string>()
    for (const state of STATES) {
      for (let start = 0; ; start += PAGE) {
        const jobs = await this.queue.getJobs([state], start, start + PAGE - 1)
        for (const job of jobs) {
          if (!job?.id || seen.has(job.id) || !isLetter(job.data)) continue
          seen.add(job.id)
          yield job
        }
        if (jobs.length < PAGE) break
      }
    }
  }

  /**
   * Merges a letter's writes again, with the order that they had, and adds the flush job where they opened a generation.
   * The letter stays: its caller removes it unless a client key was in conflict again.
   * @throws UnreadableLetterError where its data was edited into something that can't be sent; nothing is changed then.
   */
  async redrive(letter: DeadLetter): Promise<Redriven> {
    const redriven = await this.#pending.redrive(letter.runId, readMendedWrites(letter))
    if (redriven.addJob && redriven.generation !== null) {
      const { runId } = letter
      const delayMs = this.#policy.coalesceWindowMs
      await this.#flushQueue.add([{ runId, generation: redriven.generation, delayMs }])
    }
    return redriven
  }

  /** The letter's writes were merged again, or are stale: it leaves the list, and counts as redriven. */
  async countRedriven(id: string): Promise<void> {
    if ((await this.#redis.zrem(this.#lane.deadLetterIds, id)) === 1) {
      await this.#redis.hincrby(this.#lane.deadLetterCounts, 'redriven', 1)
    }
  }

  /** Looks for letters that are gone by any other means than a redrive, and counts them as removed. */
  async reckon(): Promise<void> {
    const until = Date.now() - RECKONING_AGE_MS
    const known = await this.#redis.zrangebyscore(this.#lane.deadLetterIds, '-inf', until)
    for (let start = 0; start < known.length; start += PAGE) {
      const page = known.slice(start, start + PAGE)
      const states = await Promise.all(page.map((id) => this.queue.getJobState(id)))
      const gone = page.filter((_id, index) => states[index] === 'unknown')
      if (gone.length === 0) continue
      const removed = await this.#redis.zrem(this.#lane.deadLetterIds, ...gone)
      await this.#redis.hincrby(this.#lane.deadLetterCounts, 'removed', removed)
    }
  }

  async counts(): Promise<DeadLetterCounts> {
    const counts = await this.#redis.hmget(this.#lane.deadLetterCounts, 'recorded', 'redriven', 'removed')
    const [recorded = 0, redriven = 0, removed = 0] = counts.map(Number)
    return { recorded, redriven, removed }
  }

  async close(): Promise<void> {
    await this.queue.close()
  }
}

/** A person can add a job of any kind to any queue. */
export function isLetter(data: unknown): data is DeadLetter {
  const { id, runId, run, updateMask, message } = (data ?? {}) as Partial<DeadLetter>
  return (
    [id, runId, updateMask, message].every((text) => typeof text === 'string') &&
    typeof run === 'object' &&
    run !== null
  )
}
