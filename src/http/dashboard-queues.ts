import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { JobStatus } from '@bull-board/api/typings/app'
import type { Job, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import { readLetter } from '../dead-letters/read-letter.js'
import { parseFlushJobId } from '../flush-queue/flush-job.js'
import type { Lane } from '../redis/lane.js'
import { type PendingReport, readPending } from '../worker/run-report.js'

interface Shown {
  readonly displayName: string
  readonly description: string
}

/** What a formatter is given of a job. */
interface JobJson {
  readonly id?: string
  readonly name: string
  readonly data: unknown
  readonly timestamp: number
  readonly failedReason: string
}

/**
 * The flush jobs, each with the update that is pending for its run at this moment. Bull Board formats a job
 * synchronously, so what is pending is read when a page of jobs is, all of them in one round trip.
 */
export class FlushJobsAdapter extends BullMQAdapter {
  readonly #redis: Redis
  readonly #lane: Lane
  /** By the data of a job, as it was read: the job's own data stays as it is. */
  readonly #shown = new WeakMap<object, object>()

  constructor(queue: Queue, redis: Redis, lane: Lane, shown: Shown) {
    super(queue, shown)
    this.#redis = redis
    this.#lane = lane
    this.setFormatter('data', (data: unknown) => (isObject(data) ? (this.#shown.get(data) ?? data) : data))
    this.setFormatter('name', ({ id = '', name }: JobJson) => parseFlushJobId(id)?.runId ?? name)
  }

  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id)
    if (job) await this.#lookUp([job])
    return job
  }

  override async getJobs(statuses: JobStatus[], start?: number, end?: number): Promise<Job[]> {
    const jobs = await super.getJobs(statuses, start, end)
    await this.#lookUp(jobs)
    return jobs
  }

  async #lookUp(jobs: readonly Job[]): Promise<void> {
    const waiting = jobs.flatMap((job) => {
      const target = parseFlushJobId(job.id ?? '')
      return target && job.finishedOn === undefined && isObject(job.data) ? [{ data: job.data as object, target }] : []
    })
    if (waiting.length === 0) return
    const pipeline = this.#redis.pipeline().time()
    for (const { target } of waiting) pipeline.hgetall(this.#lane.pending(target.runId))
    const [time, ...hashes] = (await pipeline.exec()) ?? []
    const [seconds, microseconds] = (time?.[1] ?? []) as string[]
    const nowUs = Number(seconds) * 1_000_000 + Number(microseconds)
    for (const [index, { data, target }] of waiting.entries()) {
      // A key that holds something else has an error in place of a hash.
      const pending = readPending(new Map(Object.entries((hashes[index]?.[1] ?? {}) as Record<string, string>)), nowUs)
      this.#shown.set(data, { ...data, ...(pending?.generation === target.generation ? toShown(pending) : NOTHING) })
    }
  }
}

const NOTHING = { pending: null }

/** As flat as can be: Bull Board folds what lies deeper. */
function toShown({ fields, corruptFields, updates, openedAt, lastFailure }: PendingReport): object {
  return {
    pending: Object.fromEntries(fields.map(({ path, value }) => [path, value])),
    writtenBy: Object.fromEntries(
      fields.map(({ path, source, observedAt }) => [path, `${source ?? 'source not told'}, observed ${observedAt}`]),
    ),
    updates,
    openedAt,
    ...(corruptFields.length > 0 && { corruptFields }),
    ...(lastFailure !== null && { lastFailure }),
  }
}

/** The dead letters: who removes one there discards it, and it is counted at once. */
export class DeadLettersAdapter extends BullMQAdapter {
  readonly #deadLetters: DeadLetters

  constructor(deadLetters: DeadLetters, shown: Shown) {
    super(deadLetters.queue, shown)
    this.#deadLetters = deadLetters
    this.setFormatter('name', (job: JobJson) => {
      const letter = readLetter(job)
      return letter ? `${letter.reason}: ${letter.runId}` : job.name
    })
  }

  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id)
    if (!job || !readLetter(job)) return job
    job.remove = async () => {
      const { kind } = await this.#deadLetters.discard(id)
      // Bull Board looks at the job's state then, and says that it is active.
      if (kind === 'busy') throw new Error(`the dead letter ${id} is being retried`)
    }
    return job
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
