/**
 * What happens to a job of the dead letter queue. BullMQ makes no failed job by its API, so a new letter fails here on
 * sight, with the API's message as the failed reason. When it comes again, somebody pressed *Retry*: it is redriven.
 * Whatever ends a redrive badly, the job fails again with the letter's own message, so that no letter ever loses its
 * cause; what went wrong is in the job's log.
 */
import { type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { FactEmitter } from '../events.js'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import type { DeadLetter } from './dead-letter.js'
import { type DeadLetters, isLetter } from './dead-letters.js'

const CONCURRENCY = 10

export function createDeadLetterWorker(
  redis: Redis,
  lane: Lane,
  deadLetters: DeadLetters,
  policy: Policy,
  facts: FactEmitter,
): Worker<DeadLetter> {
  return new Worker<DeadLetter>(
    lane.deadLetterQueueName,
    async (job) => {
      if (!isLetter(job.data))
        throw new UnrecoverableError('This job is no dead letter: it was added by another program.')
      if (job.attemptsMade === 0 && !job.stacktrace?.length) throw new UnrecoverableError(job.data.message)
      await redriveJob(job, deadLetters, facts)
    },
    {
      connection: redis,
      prefix: lane.prefix,
      concurrency: CONCURRENCY,
      lockDuration: policy.lockDurationMs,
      stalledInterval: policy.stalledIntervalMs,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      autorun: false,
    },
  )
}

async function redriveJob(job: Job<DeadLetter>, deadLetters: DeadLetters, facts: FactEmitter): Promise<void> {
  const letter = job.data
  const { id, runId } = letter
  try {
    const { acceptedFields, staleFields, conflictFields, heldClientKey } = await deadLetters.redrive(letter)
    if (conflictFields.length > 0) {
      throw new Error(
        `the client key is in conflict again: the run's place is held by ${JSON.stringify(heldClientKey)}`,
      )
    }
    await deadLetters.countRedriven(id)
    facts.emit('dead-letter:redriven', { id, runId, acceptedFields, staleFields })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    facts.emit('dead-letter:refused-again', { id, runId, message })
    // The log is for people: a job that was removed meanwhile needs none.
    await job.log(`${new Date().toISOString()} retry failed: ${message}`).catch(() => {})
    throw new UnrecoverableError(letter.message)
  }
}
