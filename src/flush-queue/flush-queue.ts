import type { Redis } from 'ioredis'
import type { Lane } from '../redis/lane.js'
import { MendingQueue } from '../redis/mending-queue.js'
import { jobTelemetry, queueTelemetry } from '../tracing/job-telemetry.js'
import { BriefJob } from './brief-job.js'
import { type FlushJobData, flushJobId } from './flush-job.js'

export interface FlushJob {
  readonly runId: string
  readonly generation: string
  readonly delayMs: number
  /** Of the update that opened the generation, where it is traced. */
  readonly origin?: string
}

/** A job that waits for its time. */
export interface DelayedJob {
  /** When it is due, by the clock of the machine that delayed it. */
  readonly dueMs: number
  /** How long it was meant to wait. */
  readonly delayMs: number
  /** A worker has had it before: what it waits for is not its window. */
  readonly wasTaken: boolean
}

const FLUSH_JOB_NAME = 'flush'

/** BullMQ keeps delayed jobs by the time at which they are due, with room for a count in the last bits. */
const DELAYED_SCORE_PER_MS = 0x1000

class BriefQueue extends MendingQueue<FlushJobData> {
  protected override get Job(): typeof BriefJob {
    return BriefJob
  }
}

/** The flush jobs of a lane: adding, finding and promoting them, by BullMQ's public API only. */
export class FlushQueue {
  readonly queue: MendingQueue<FlushJobData>
  readonly #redis: Redis

  /** The connection stays the caller's; so do its errors, which BullMQ tells here once more. */
  constructor(redis: Redis, lane: Lane) {
    this.#redis = redis
    this.queue = new BriefQueue(lane.queueName, { connection: redis, prefix: lane.prefix, ...queueTelemetry() })
  }

  /** Adds jobs in one round trip. One that is there already stays as it is. */
  async add(jobs: readonly FlushJob[]): Promise<void> {
    if (jobs.length === 0) return
    await this.queue.addBulk(
      jobs.map(({ runId, generation, delayMs, origin }) => ({
        name: FLUSH_JOB_NAME,
        data: {},
        opts: {
          jobId: flushJobId(runId, generation),
          delay: Math.max(0, Math.round(delayMs)),
          ...jobTelemetry(origin),
        },
      })),
    )
  }

  /**
   * Whether a job is there and not finished. At a million jobs it costs what it costs at one; a job that somebody has taken
   * out of BullMQ's lists, but not removed, passes for one that will come: `isAlive` tells.
   */
  async isThere(runId: string, generation: string): Promise<boolean> {
    const job = await this.queue.getJob(flushJobId(runId, generation))
    return job !== undefined && job.finishedOn === undefined
  }

  /** Whether a job will still come, or is being worked on. Where many are waiting, BullMQ looks through all of them. */
  async isAlive(runId: string, generation: string): Promise<boolean> {
    const state = await this.queue.getJobState(flushJobId(runId, generation))
    return state !== 'unknown' && state !== 'failed' && state !== 'completed'
  }

  /** What a job waits for that is delayed; undefined: it is not. */
  async findDelayed(runId: string, generation: string): Promise<DelayedJob | undefined> {
    const jobId = flushJobId(runId, generation)
    // Not by the delay in the job's hash, which says nothing where a person has moved it.
    const score = await this.#redis.zscore(this.queue.toKey('delayed'), jobId)
    const job = score === null ? undefined : await this.queue.getJob(jobId)
    if (!job) return undefined
    return { dueMs: Number(score) / DELAYED_SCORE_PER_MS, delayMs: job.delay, wasTaken: job.attemptsStarted > 0 }
  }

  /**
   * Lets a delayed job run now.
   * @returns what it found: `delayed` (promoted now), or the state that needs no promotion, or `missing`.
   */
  async promote(runId: string, generation: string): Promise<'delayed' | 'waiting' | 'active' | 'missing'> {
    const job = await this.queue.getJob(flushJobId(runId, generation))
    const state = await job?.getState()
    if (job && state === 'delayed') {
      // It may have run in between: then it is on its way, which is what was asked for.
      await job.promote().catch(() => {})
      return 'delayed'
    }
    if (state === 'active') return 'active'
    return state === 'waiting' || state === 'prioritized' ? 'waiting' : 'missing'
  }

  async close(): Promise<void> {
    await this.queue.close()
  }
}
