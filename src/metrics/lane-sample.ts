import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { DeadLetterCounts, DeadLetters } from '../dead-letters/dead-letters.js'
import type { FlushQueue } from '../flush-queue/flush-queue.js'
import type { Lane } from '../redis/lane.js'
import type { LaneState, Throttle } from '../throttle/throttle.js'
import type { LetterReasons } from './letter-reasons.js'

export interface SampledParts {
  readonly redis: Redis
  readonly lane: Lane
  readonly throttle: Throttle
  readonly flushQueue: FlushQueue
  readonly deadLetters: DeadLetters
}

/** A look at a lane: what all of its processes share. */
export interface LaneSample {
  readonly pendingRuns: number
  readonly oldestPendingAgeSeconds: number
  readonly flushJobs: JobCounts
  readonly intakeJobs: JobCounts
  readonly deadLetterJobs: JobCounts
  /** Paused in BullMQ, by a dashboard for one: no worker takes a job out of it. */
  readonly pausedQueues: ReadonlyMap<string, boolean>
  readonly throttleState: 'open' | 'held' | 'probing'
  readonly heldReason: string | null
  /** 0 while it is open. */
  readonly heldSeconds: number
  readonly deadLettersByReason: ReadonlyMap<string, number>
  readonly deadLetterCounts: DeadLetterCounts
}

/** By BullMQ's name of the state. */
export type JobCounts = Readonly<Record<string, number>>

const JOB_STATES = ['waiting', 'prioritized', 'delayed', 'active', 'completed', 'failed'] as const

/** Reads a lane in about a dozen commands, however much is pending. */
export async function readSample(
  { redis, lane, throttle, flushQueue, deadLetters }: SampledParts,
  intake: Queue,
  letterReasons: LetterReasons,
): Promise<LaneSample> {
  const queues = [flushQueue.queue, intake, deadLetters.queue] as const
  const [[seconds, microseconds], pendingRuns, oldest, flushJobs, intakeJobs, deadLetterJobs, paused, state, counts] =
    await Promise.all([
      redis.time(),
      redis.zcard(lane.index),
      redis.zrange(lane.index, '0', '0', 'WITHSCORES'),
      flushQueue.queue.getJobCounts(...JOB_STATES),
      intake.getJobCounts(...JOB_STATES),
      deadLetters.queue.getJobCounts(...JOB_STATES),
      Promise.all(queues.map(async (queue) => [queue.name, await queue.isPaused()] as const)),
      throttle.read(),
      deadLetters.counts(),
    ])
  const nowMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000
  return {
    pendingRuns,
    oldestPendingAgeSeconds: secondsSince(oldest[1] === undefined ? null : Number(oldest[1]), nowMs),
    flushJobs,
    intakeJobs,
    deadLetterJobs,
    pausedQueues: new Map(paused),
    throttleState: stateName(state),
    heldReason: state.reason,
    heldSeconds: secondsSince(state.sinceMs, nowMs),
    deadLettersByReason: await letterReasons.count(JSON.stringify([counts, deadLetterJobs])),
    deadLetterCounts: counts,
  }
}

function stateName({ state, isProbing }: LaneState): LaneSample['throttleState'] {
  return isProbing ? 'probing' : state
}

/** Redis's clock may have been set back. */
function secondsSince(ms: number | null, nowMs: number): number {
  return ms === null ? 0 : Math.max(0, (nowMs - ms) / 1_000)
}
