/**
 * The intake queue: BullMQ has clients for other languages, and a job whose data is an update comes in by it.
 *
 *   accepted, stale, conflict   the job is completed, and says which
 *   refused                     it fails for good, with the parser's message
 *   Redis is away, overloaded   it comes again
 *
 * Each call of the processor is one job, and hundreds run at a time: the producer gathers what they bring into batches,
 * so that a batch costs one script.
 */
import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { RedisUnavailableError, type UpdateRejectedError } from '../errors.js'
import type { Policy } from '../policy.js'
import type { EnqueueResult } from '../producer/enqueue-result.js'
import type { RunUpdateProducer } from '../producer/producer.js'
import type { Lane } from '../redis/lane.js'
import { readIntakeJob } from './intake-job.js'

/** As many as two batches: one is on its way while the next gathers. */
const CONCURRENCY = 1_000

/** Completed jobs are kept for dashboards. Failed ones hold what nobody else was told of, so for longer. */
const KEPT_COMPLETED = { age: 3_600, count: 1_000 }
const KEPT_FAILED = { count: 100_000 }

/** Redis is full, or the lane is at its limit: that takes a while to pass. */
const OVERLOADED_PAUSE_MS = 5_000

type Taken = EnqueueResult['status']

export function createIntakeWorker(
  redis: Redis,
  lane: Lane,
  producer: Pick<RunUpdateProducer, 'enqueueParsed'>,
  policy: Policy,
): Worker<unknown, Taken> {
  const takeIn = async (job: Job<unknown, Taken>, token?: string): Promise<Taken> => {
    const parsed = readIntakeJob(job)
    if (!parsed.ok) throw refusal(parsed.error)
    try {
      const [result] = await producer.enqueueParsed([parsed.update])
      if (!result) throw new TypeError('one update gave no result')
      if (result.error?.code === 'overloaded') return await comeAgain(job, token, OVERLOADED_PAUSE_MS)
      if (result.error) throw refusal(result.error)
      return result.status
    } catch (error) {
      if (error instanceof RedisUnavailableError) return await comeAgain(job, token, policy.minBackoffMs)
      throw error
    }
  }
  return new Worker<unknown, Taken>(lane.intakeQueueName, takeIn, {
    connection: redis,
    prefix: lane.prefix,
    autorun: false,
    concurrency: CONCURRENCY,
    lockDuration: policy.lockDurationMs,
    stalledInterval: policy.stalledIntervalMs,
    // By default the second kill of a worker would fail its jobs.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    removeOnComplete: KEPT_COMPLETED,
    removeOnFail: KEPT_FAILED,
  })
}

/** Taking it in once more would not help, however many attempts its client has asked for. */
function refusal({ message }: UpdateRejectedError): UnrecoverableError {
  const error = new UnrecoverableError(message)
  // Dashboards show the stack as the cause, and where our code lies is none.
  error.stack = String(error)
  return error
}

async function comeAgain(job: Job, token: string | undefined, delayMs: number): Promise<never> {
  // Where that fails, the job is not ours any more, or it stalls and comes again: it never fails for it.
  await job.moveToDelayed(Date.now() + delayMs, token).catch(() => {})
  throw new DelayedError()
}
