import type { Queue } from 'bullmq'
import { type LaneSample, readSample, type SampledParts } from '../../metrics/lane-sample.js'
import type { LetterReasons } from '../../metrics/letter-reasons.js'
import type { Counters } from './flow.js'

/** The state of a lane, as the overview page is told it. Times are milliseconds since 1970. */
export interface Snapshot {
  readonly atMs: number
  readonly pendingRuns: number
  readonly oldestPendingAgeMs: number
  readonly lane: {
    readonly state: LaneSample['throttleState']
    readonly reason: string | null
    /** The answer that closed it, or the operator's words. */
    readonly detail: string | null
    readonly sinceMs: number | null
    /** Null: open, or until an operator opens it. */
    readonly untilMs: number | null
    readonly rate: string | null
  }
  /** Somebody has paused the flush queue: no worker is handed a job. */
  readonly isPaused: boolean
  readonly deadLetters: readonly { readonly reason: string; readonly count: number }[]
  readonly jobs: { readonly flush: number; readonly intake: number; readonly intakeFailed: number }
}

export async function readSnapshot(
  parts: SampledParts,
  intake: Queue,
  reasons: LetterReasons,
): Promise<{ snapshot: Snapshot; counters: Counters }> {
  const { redis, lane, throttle, flushQueue } = parts
  const [sample, state, isPaused, sequence, [applied, appliedUpdates]] = await Promise.all([
    readSample(parts, intake, reasons),
    throttle.read(),
    flushQueue.queue.isPaused(),
    redis.get(lane.sequence),
    redis.hmget(lane.throttle, 'applied', 'appliedUpdates'),
  ])
  const atMs = Date.now()
  const { pendingRuns, flushJobs, intakeJobs } = sample
  const count = (jobs: LaneSample['flushJobs'], ...names: string[]): number =>
    names.reduce((sum, name) => sum + (jobs[name] ?? 0), 0)
  return {
    counters: {
      atMs,
      pendingRuns,
      sequence: Number(sequence ?? 0),
      applied: Number(applied ?? 0),
      appliedUpdates: Number(appliedUpdates ?? 0),
    },
    snapshot: {
      atMs,
      pendingRuns,
      oldestPendingAgeMs: Math.round(sample.oldestPendingAgeSeconds * 1_000),
      lane: {
        state: state.isProbing ? 'probing' : state.state,
        reason: state.reason,
        detail: state.detail,
        sinceMs: state.sinceMs,
        untilMs: state.untilMs,
        rate: state.rate,
      },
      isPaused,
      deadLetters: [...sample.deadLettersByReason]
        .map(([reason, letters]) => ({ reason, count: letters }))
        .sort((a, b) => b.count - a.count || a.reason.localeCompare(b.reason)),
      jobs: {
        flush: count(flushJobs, 'waiting', 'prioritized', 'delayed', 'active'),
        intake: count(intakeJobs, 'waiting', 'prioritized', 'delayed', 'active'),
        intakeFailed: count(intakeJobs, 'failed'),
      },
    },
  }
}
