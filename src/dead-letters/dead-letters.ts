/**
 * The dead letters of a lane: refused sets of fields, as failed jobs of a BullMQ queue of their own, so that every
 * BullMQ dashboard lists them with their cause and can retry them.
 *
 *  - A letter exists once `add` has returned, and counts in every state: BullMQ makes no failed job by its API, so a
 *    worker (./dead-letter-worker.ts) fails it on sight.
 *  - A redrive merges first and removes the letter then: a crash in between leaves a letter whose next retry finds its
 *    writes pending, or applied (stale), and changes nothing.
 *  - Recorded, redriven and removed are counted; removed are those that are gone without a redrive, by any means.
 */
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import type { FlushQueue } from '../flush-queue/flush-queue.js'
import type { PendingUpdates, Redriven } from '../pending/pending-updates.js'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import { MendingQueue } from '../redis/mending-queue.js'
import { DEAD_LETTER_JOB_NAME, type DeadLetter, type Refusal, toDeadLetter } from './dead-letter.js'
import { readMendedWrites } from './mended-letter.js'
import { readLetter } from './read-letter.js'
import { RedrivePace } from './redrive-pace.js'
import { SCRIPTS } from './scripts.js'

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

/** What became of a letter that was asked to be retried. */
export type Retried =
  | { readonly kind: 'missing' }
  /** It has left the list. No field accepted: all were stale. */
  | ({ readonly kind: 'redriven' } & Pick<Redriven, 'acceptedFields' | 'staleFields'>)
  /** Its client key is in conflict again, and it stays. */
  | ({ readonly kind: 'conflict' } & Pick<Redriven, 'heldClientKey'>)

/** `busy`: it is being retried at this moment, and stays. */
export type Discarded =
  | { readonly kind: 'missing' | 'busy' }
  | { readonly kind: 'discarded'; readonly letter: DeadLetter }

export class DeadLetters {
  readonly queue: MendingQueue<DeadLetter>
  readonly #redis: Redis
  readonly #lane: Lane
  readonly #pending: PendingUpdates
  readonly #flushQueue: FlushQueue
  readonly #policy: Policy
  readonly #pace: RedrivePace

  constructor(redis: Redis, lane: Lane, pending: PendingUpdates, flushQueue: FlushQueue, policy: Policy) {
    this.#redis = redis
    this.#lane = lane
    this.#pending = pending
    this.#flushQueue = flushQueue
    this.#policy = policy
    this.#pace = new RedrivePace(redis, lane)
    this.queue = new MendingQueue(lane.deadLetterQueueName, { connection: redis, prefix: lane.prefix })
  }

  /**
   * Records a refusal; only then may its writes be set aside. The same refusal again (a crash came in between) is the
   * same letter.
   * @throws where it can't be made sure that the letter is there.
   */
  async record(refusal: Refusal): Promise<DeadLetter> {
    const letter = toDeadLetter(refusal, new Date())
    const startedAt = performance.now()
    await this.#note(letter)
    await this.queue.add(DEAD_LETTER_JOB_NAME, letter, {
      jobId: letter.id,
      attempts: 1,
      removeOnComplete: true,
      removeOnFail: false,
    })
    if (!(await this.queue.getJob(letter.id))) {
      throw new Error(`the dead letter ${letter.id} was added and is not there`)
    }
    // Where Redis hung before it took the letter, what was noted of it may have passed for removed by now.
    if (performance.now() - startedAt > RECKONING_AGE_MS / 2) await this.#note(letter)
    return letter
  }

  async #note({ id, runId }: DeadLetter): Promise<void> {
    // Before `sent` loses its TTL: who gives it back to runs without letters looks at what is noted.
    await SCRIPTS.noteRecorded.run(this.#redis, this.#keys, { nowUs: '', id })
    await this.#pending.keepSent(runId)
  }

  async find(id: string): Promise<Job<DeadLetter> | undefined> {
    return toLetterJob(await this.queue.getJob(id))
  }

  /** The ids of all letters, newest first within a state; a foreign job's may be among them. */
  async ids(): Promise<string[]> {
    // One look at all states at once: a letter that is being retried moves between them.
    return await this.queue.getRanges([...STATES], 0, -1)
  }

  /** All letters, in every state, newest first within a state. What is removed meanwhile makes it skip nothing else. */
  async *list(): AsyncGenerator<Job<DeadLetter>> {
    const ids = await this.ids()
    for (let start = 0; start < ids.length; start += PAGE) {
      const jobs = await Promise.all(ids.slice(start, start + PAGE).map((id) => this.find(id)))
      yield* jobs.filter((job) => job !== undefined)
    }
  }

  /**
   * Merges a letter's writes again, with the order that they had, and adds the flush job where they opened a generation.
   * The letter stays: `retry` and the dead letter worker remove it, unless a client key was in conflict again.
   * @param signal ends the wait for its turn: then nothing was merged.
   * @throws UnreadableLetterError where its data was edited into something that can't be sent; nothing is changed then.
   */
  async redrive(letter: DeadLetter, signal?: AbortSignal): Promise<Redriven> {
    const writes = readMendedWrites(letter)
    await this.#pace.takeTurn(signal)
    const redriven = await this.#pending.redrive(letter.runId, writes)
    if (redriven.addJob && redriven.generation !== null) {
      const { runId } = letter
      const delayMs = this.#policy.coalesceWindowMs
      await this.#flushQueue.add([{ runId, generation: redriven.generation, delayMs }])
    }
    return redriven
  }

  /**
   * Redrives a letter and takes it off the list. Somebody else may be at it at the same time: its writes are merged once.
   * @throws UnreadableLetterError as `redrive`; the letter stays.
   */
  async retry(id: string): Promise<Retried> {
    const job = await this.find(id)
    if (!job) return { kind: 'missing' }
    const { acceptedFields, staleFields, conflictFields, heldClientKey } = await this.redrive(job.data)
    if (conflictFields.length > 0) return { kind: 'conflict', heldClientKey }
    await this.countRedriven(id)
    // A job that is active has its lock: its worker redrives it, too, finds nothing new, and removes it.
    await this.queue.remove(id)
    return { kind: 'redriven', acceptedFields, staleFields }
  }

  /** Throws a letter away; it counts as removed. */
  async discard(id: string): Promise<Discarded> {
    const job = await this.find(id)
    if (!job) return { kind: 'missing' }
    if ((await this.queue.remove(id)) === 0) return { kind: 'busy' }
    await this.#countGone('removed', [id])
    return { kind: 'discarded', letter: job.data }
  }

  /** The letter's writes were merged again, or are stale: it is about to leave the list, and counts as redriven. */
  async countRedriven(id: string): Promise<void> {
    await this.#countGone('redriven', [id])
  }

  /** Looks for letters that are gone by any other means than a redrive, and counts them as removed. */
  async reckon(): Promise<void> {
    const [seconds] = await this.#redis.time()
    const until = Number(seconds) * 1000 - RECKONING_AGE_MS
    const known = await this.#redis.zrangebyscore(this.#lane.deadLetterIds, '-inf', until)
    for (let start = 0; start < known.length; start += PAGE) {
      const page = known.slice(start, start + PAGE)
      const states = await Promise.all(page.map((id) => this.queue.getJobState(id)))
      const gone = page.filter((_id, index) => states[index] === 'unknown')
      if (gone.length > 0) await this.#countGone('removed', gone)
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

  get #keys() {
    return { ids: this.#lane.deadLetterIds, counts: this.#lane.deadLetterCounts }
  }

  async #countGone(as: 'redriven' | 'removed', ids: readonly string[]): Promise<void> {
    await SCRIPTS.noteGone.run(this.#redis, this.#keys, { as }, ids)
  }
}

/** The job with its data as a letter, whatever a person has edited it into; undefined where it is none. */
function toLetterJob(job: Job<DeadLetter> | undefined): Job<DeadLetter> | undefined {
  const letter = job && readLetter(job)
  if (!letter) return undefined
  job.data = letter
  return job
}
