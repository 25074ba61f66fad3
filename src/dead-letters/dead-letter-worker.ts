/**
 * What happens to a job of the dead letter queue. BullMQ makes no failed job by its API, so a new letter fails here on
 * sight, with the API's message as the failed reason. When it comes again, somebody pressed *Retry*: it is redriven.
 * Whatever ends a redrive badly, the job fails again with the letter's own message, so that no letter ever loses its
 * cause; what went wrong is in the job's log.
 */
import { type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { FactEmitter } from '../events.js'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import type { DeadLetter } from './dead-letter.js'
import type { DeadLetters } from './dead-letters.js'
import { readLetter } from './read-letter.js'

const CONCURRENCY = 10

export function createDeadLetterWorker(
  redis: Redis,
  lane: Lane,
  deadLetters: DeadLetters,
  policy: Policy,
  facts: FactEmitter,
): Worker<DeadLetter> {
  const closing = new AbortController()
  const worker = new Worker<DeadLetter>(
    lane.deadLetterQueueName,
    async (job, token) => {
      const letter = readLetter(job)
      if (!letter) {
        facts.emit('job:foreign', { jobId: job.id ?? '', queueName: lane.deadLetterQueueName })
        throw new UnrecoverableError('This job is no dead letter: it was added by another program.')
      }
      // A retry may reset the attempts, but never the stack trace.
      if (job.attemptsMade === 0 && !job.stacktrace?.length) throw failure(letter.message)
      try {
        await redriveLetter(letter, deadLetters, facts, closing.signal)
      } catch (error) {
        if (closing.signal.aborted) {
          // Where the job is not ours any more, BullMQ has given it to another worker.
          await job.moveToWait(token).catch(() => {})
          throw new WaitingError()
        }
        await failAgain(job, letter, facts, error)
      }
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
  worker.on('closing', () => closing.abort())
  return worker
}

async function redriveLetter(
  letter: DeadLetter,
  deadLetters: DeadLetters,
  facts: FactEmitter,
  closing: AbortSignal,
): Promise<void> {
  const { id, runId } = letter
  const { acceptedFields, staleFields, conflictFields, heldClientKey } = await deadLetters.redrive(letter, closing)
  if (conflictFields.length > 0) {
    throw new Error(`the client key is in conflict again: the run's place is held by ${JSON.stringify(heldClientKey)}`)
  }
  await deadLetters.countRedriven(id)
  facts.emit('dead-letter:redriven', { id, runId, acceptedFields, staleFields })
}

async function failAgain(job: Job, { id, runId, message }: DeadLetter, facts: FactEmitter, error: unknown) {
  const why = error instanceof Error ? error.message : String(error)
  facts.emit('dead-letter:refused-again', { id, runId, message: why })
  // The log is for people: a job that was removed meanwhile needs none.
  await job.log(`${new Date().toISOString()} retry failed: ${why}`).catch(() => {})
  throw failure(message)
}

/** With its words alone: dashboards show the stack as the cause, and where our code lies is none. */
function failure(message: string): UnrecoverableError {
  const error = new UnrecoverableError(message)
  error.stack = String(error)
  return error
}
