/**
 * The processor of flush jobs: a job says that a run has something pending; this sends it. It turns the ending of a
 * flush into BullMQ's terms:
 *
 *   all sent             release; completed. Something came in meanwhile: the next generation's job is added first.
 *   superseded           completed at once
 *   leased               back after the lease, by moveToDelayed
 *   held, stopping       back to the front of the queue, by moveToWait; for a hold, AFTER the gate is closed. A failed
 *                        probe goes behind all that wait, by moveToDelayed: a few runs that fail by themselves must not
 *                        be asked in turn for ever, while every other would open the lane
 *   failed, back off     back after a backoff, by moveToDelayed
 *   anything else        a bug, or Redis is away: back after a moment; if even that fails, BullMQ finds it stalled
 */
import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq'
import type { FlushJobData } from '../flush-queue/flush-job.js'
import { parseFlushJobId } from '../flush-queue/flush-job.js'
import type { FlushQueue } from '../flush-queue/flush-queue.js'
import type { Holder } from '../pending/pending-updates.js'
import { backoffMs } from './backoff.js'
import { type Ending, FlushEnded, type Tried } from './ending.js'
import { Flush, type Flusher } from './flush.js'
import type { LaneGate } from './lane-gate.js'

export interface FlushProcessorParts extends Omit<Flusher, 'abort' | 'show' | 'log' | 'tries'> {
  readonly flushQueue: FlushQueue
  readonly gate: LaneGate
  readonly queueName: string
  /** Requests that the worker can't wait for any longer, all of them. */
  readonly giveUp: AbortSignal
}

export type FlushResult = 'sent' | 'superseded'

export class FlushProcessor {
  readonly #parts: FlushProcessorParts
  /** What aborts the requests of each call, and the job that it is for. */
  readonly #aborts = new Map<AbortController, string>()
  #calls = 0

  constructor(parts: FlushProcessorParts) {
    this.#parts = parts
    const { giveUp } = parts
    // Not by AbortSignal.any: each signal that it makes leaves an entry in its sources for as long as those live.
    giveUp.addEventListener('abort', () => {
      for (const abort of this.#aborts.keys()) abort.abort(giveUp.reason)
    })
  }

  /** The job's lock could not be renewed: another worker may have it. The lease, not the lock, keeps promise 3. */
  abort(jobId: string): void {
    for (const [abort, of] of this.#aborts) if (of === jobId) abort.abort(new Error('the lock of the job was lost'))
  }

  async process(job: Job<FlushJobData>, token: string): Promise<FlushResult> {
    const target = parseFlushJobId(job.id ?? '')
    if (!target) {
      const { queueName, facts } = this.#parts
      facts.emit('job:foreign', { jobId: job.id ?? '', queueName })
      throw new UnrecoverableError(
        `The queue ${queueName} is for flush jobs, named <runId>.<generation>; "${job.id}" is none. Updates go in by enqueue, HTTP or the intake queue.`,
      )
    }
    // One call of the processor, never a worker: after a lost lock, two calls may run for one job, even in one worker.
    const holder: Holder = { ...target, owner: `${token}:${++this.#calls}` }
    const abort = new AbortController()
    if (this.#parts.giveUp.aborted) abort.abort(this.#parts.giveUp.reason)
    this.#aborts.set(abort, job.id ?? '')
    try {
      const released = await new Flush(this.#flusher(job, abort.signal), holder).run()
      if (released.kind === 'opened') {
        const { kind: _kind, ...next } = released
        await this.#parts.flushQueue.add([{ runId: holder.runId, ...next }])
      }
      return 'sent'
    } catch (error) {
      return await this.#end(job, token, holder, error)
    } finally {
      this.#aborts.delete(abort)
    }
  }

  #flusher(job: Job<FlushJobData>, abort: AbortSignal): Flusher {
    // A job may be removed while it runs; what dashboards are shown must not cost the update.
    const ignore = () => {}
    return {
      ...this.#parts,
      abort,
      show: (body) => job.updateData({ patch: body }).catch(ignore),
      log: async (line) => void (await job.log(line).catch(ignore)),
      tries: async () => (await this.#parts.flushQueue.queue.getJobLogs(job.id ?? '')).logs,
    }
  }

  async #end(job: Job<FlushJobData>, token: string, holder: Holder, error: unknown): Promise<FlushResult> {
    const { facts, gate, pending } = this.#parts
    const { runId, generation } = holder
    const ending = error instanceof FlushEnded ? error.ending : undefined
    if (!ending) {
      facts.emit('job:crashed', { runId, error: error instanceof Error ? error : new Error(String(error)) })
      await pending.defer(holder, { failure: 'none' })
      return await this.#delay(job, token, this.#parts.policy.minBackoffMs)
    }
    switch (ending.kind) {
      case 'superseded':
        facts.emit('run:superseded', { runId, generation })
        return 'superseded'
      case 'leased':
        return await this.#delay(job, token, ending.delayMs)
      case 'held':
        await pending.defer(holder, { ...ending, ...(ending.tried && troubleOf(ending.tried)) })
        await gate.close(ending.remainingMs ?? 0)
        return ending.wasProbe ? await this.#delay(job, token, 0) : await this.#putBack(job, token)
      case 'stopping':
        await pending.defer(holder, { failure: 'none' })
        return await this.#putBack(job, token)
      case 'failed':
        return await this.#delay(job, token, await this.#deferFailed(holder, ending))
      case 'back_off':
        await pending.defer(holder, { failure: 'none' })
        return await this.#delay(job, token, backoffMs(ending.tries, this.#parts.policy, Math.random()))
    }
  }

  /** Returns how long the job stays away. */
  async #deferFailed(holder: Holder, { tried, counts }: Extract<Ending, { kind: 'failed' }>): Promise<number> {
    const { pending, policy, facts } = this.#parts
    const { verdict } = tried
    const isAmbiguous = verdict.kind === 'transient' && verdict.ambiguous
    const restMs = isAmbiguous ? policy.ambiguityGraceMs : 0
    const statedMs = verdict.kind === 'transient' ? Math.min(verdict.waitMs ?? 0, policy.maxHoldMs) : 0
    const failure = counts ? 'counted' : 'uncounted'
    const { failures, tries } = await pending.defer(holder, { failure, restMs, ...troubleOf(tried) })
    // A run whose attempts are used up comes back at once, to become a dead letter.
    const backoff = failures >= policy.maxAttempts ? 0 : backoffMs(tries, policy, Math.random())
    const delayMs = Math.max(restMs, statedMs, backoff)
    facts.emit('run:deferred', { runId: holder.runId, reason: verdict.reason, delayMs, failures })
    return delayMs
  }

  /** Where the job is not ours any more, BullMQ has given it to another worker: there is nothing to move. */
  async #delay(job: Job<FlushJobData>, token: string, delayMs: number): Promise<never> {
    await job.moveToDelayed(Date.now() + Math.ceil(delayMs), token).catch(() => {})
    throw new DelayedError()
  }

  async #putBack(job: Job<FlushJobData>, token: string): Promise<never> {
    await job.moveToWait(token).catch(() => {})
    throw new WaitingError()
  }
}

/** Kept with the run, for the dead letter that may come of it. */
function troubleOf({ verdict, triedUs }: Tried): { trouble: object; triedUs: number } {
  const { reason, message, httpStatus, code } = verdict
  return { trouble: { at: new Date().toISOString(), reason, message, httpStatus, code }, triedUs }
}
