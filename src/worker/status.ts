import type { Redis } from 'ioredis'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import type { FlushQueue } from '../flush-queue/flush-queue.js'
import type { Lane } from '../redis/lane.js'
import type { Rate, Throttle } from '../throttle/throttle.js'

export interface StatusParts {
  readonly redis: Redis
  readonly lane: Lane
  readonly throttle: Throttle
  readonly flushQueue: FlushQueue
  readonly deadLetters: DeadLetters
  /** Where no worker has ever set the lane's rate. */
  readonly rate: Rate
}

/** The state of a lane, as `status --json` and the HTTP interface tell it. */
export interface LaneStatus {
  readonly pendingRuns: number
  /** Since the oldest pending update was opened; 0: nothing is pending. */
  readonly oldestPendingAgeMs: number
  /** How long sending all would take at the lane's rate, with one PATCH a run. */
  readonly drainEstimateMs: number
  readonly jobs: {
    readonly waiting: number
    readonly delayed: number
    readonly active: number
    readonly failed: number
    readonly completed: number
  }
  readonly deadLetters: { readonly total: number; readonly byReason: Readonly<Record<string, number>> }
  /** Times are RFC 3339. `until` is null where only an operator will open the lane. */
  readonly throttle: {
    readonly state: 'open' | 'held'
    readonly reason: string | null
    readonly since: string | null
    readonly until: string | null
  }
}

/** Reads a lane's status; its dead letters are read one by one, so that their reasons are those of right now. */
export async function readStatus(parts: StatusParts): Promise<LaneStatus> {
  const { redis, lane, throttle, flushQueue, rate } = parts
  const [[seconds], pendingRuns, oldest, counts, byReason, state] = await Promise.all([
    redis.time(),
    redis.zcard(lane.index),
    redis.zrange(lane.index, '0', '0', 'WITHSCORES'),
    flushQueue.queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active', 'failed', 'completed'),
    countByReason(parts.deadLetters),
    throttle.read(),
  ])
  const openedMs = oldest[1]
  const count = (name: string): number => counts[name] ?? 0
  return {
    pendingRuns,
    oldestPendingAgeMs:
      openedMs === undefined ? 0 : Math.max(0, Math.round(Number(seconds) * 1_000 - Number(openedMs))),
    drainEstimateMs: Math.round(pendingRuns * (state.spacingMs ?? rate.durationMs / rate.max)),
    jobs: {
      waiting: count('waiting') + count('prioritized'),
      delayed: count('delayed'),
      active: count('active'),
      failed: count('failed'),
      completed: count('completed'),
    },
    deadLetters: {
      total: Object.values(byReason).reduce((sum, letters) => sum + letters, 0),
      byReason,
    },
    throttle: {
      state: state.state,
      reason: state.reason,
      since: toTime(state.sinceMs),
      until: toTime(state.untilMs),
    },
  }
}

async function countByReason(deadLetters: DeadLetters): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for await (const { data } of deadLetters.list()) counts[data.reason] = (counts[data.reason] ?? 0) + 1
  return counts
}

function toTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
