/**
 * Draining a lane: waiting until everything is sent or set aside, while a worker is at work.
 *
 *  - Windows are not waited for: their jobs are promoted. Backoffs and holds are.
 *  - A pending run whose job is missing gets a new one once no other job is left.
 *  - drained: nothing is pending, no flush job waits or is active, and no dead letter is still to be recorded.
 *  - paused: an operator has paused one of the two queues in BullMQ, so waiting would not help.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import { type FlushNowParts, flushAllNow } from '../flush-queue/flush-now.js'
import type { LaneState, Throttle } from '../throttle/throttle.js'

export interface DrainParts extends FlushNowParts {
  readonly throttle: Throttle
  readonly deadLetters: DeadLetters
}

/** What a drain waits for. */
export interface DrainProgress {
  readonly pendingRuns: number
  readonly active: number
  /** Runs that rest after a failure. */
  readonly backingOff: number
  /** Dead letters on their way into the list. */
  readonly unrecordedLetters: number
  readonly lane: LaneState
}

export interface DrainOptions {
  /** Ends the drain early. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: DrainProgress) => void
}

export type Drained = 'drained' | 'paused' | 'aborted'

const LOOK_EVERY_MS = 250
const PAGE = 500

/** @throws what ioredis throws where Redis goes away. */
export async function drainLane(parts: DrainParts, { signal, onProgress }: DrainOptions): Promise<Drained> {
  let looksWithoutJobs = 0
  for (;;) {
    if (signal.aborted) return 'aborted'
    if (await isPaused(parts)) return 'paused'
    await hastenWindows(parts)
    const [progress, jobs] = await look(parts)
    if (progress.pendingRuns + jobs + progress.unrecordedLetters === 0) return 'drained'
    onProgress(progress)
    // Between a merge and the adding of its job there is a moment, too: one look says nothing.
    looksWithoutJobs = jobs + progress.backingOff === 0 ? looksWithoutJobs + 1 : 0
    if (looksWithoutJobs > 1) await flushAllNow(parts, () => {})
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {})
  }
}

async function isPaused({ flushQueue, deadLetters }: DrainParts): Promise<boolean> {
  const paused = await Promise.all([flushQueue.queue.isPaused(), deadLetters.queue.isPaused()])
  return paused.includes(true)
}

/** Promotes what waits for its window: a job that was started before waits for something else. */
async function hastenWindows({ flushQueue }: DrainParts): Promise<void> {
  let kept = 0
  for (;;) {
    const jobs = await flushQueue.queue.getJobs(['delayed'], kept, kept + PAGE - 1, true)
    const inWindow = jobs.filter((job) => job?.attemptsStarted === 0)
    // One that has left the queue meanwhile needs no promotion.
    await Promise.all(inWindow.map((job) => job.promote().catch(() => {})))
    if (jobs.length < PAGE) return
    kept += jobs.length - inWindow.length
  }
}

async function look({
  redis,
  lane,
  throttle,
  flushQueue,
  deadLetters,
}: DrainParts): Promise<[DrainProgress, jobs: number]> {
  const [pendingRuns, flushJobs, letters, state] = await Promise.all([
    redis.zcard(lane.index),
    flushQueue.queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active'),
    deadLetters.queue.getJobCounts('waiting', 'active'),
    throttle.read(),
  ])
  const active = flushJobs.active ?? 0
  return [
    {
      pendingRuns,
      active,
      backingOff: flushJobs.delayed ?? 0,
      unrecordedLetters: (letters.waiting ?? 0) + (letters.active ?? 0),
      lane: state,
    },
    active + (flushJobs.waiting ?? 0) + (flushJobs.prioritized ?? 0),
  ]
}
