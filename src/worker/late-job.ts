/**
 * BullMQ keeps the moment when a delayed job is due by the wall clock of the machine that delayed it, and its workers
 * compare that with their own. Where those disagree, or one was set back, a job comes late by as much: an hour, for an
 * hour's step. How long it was meant to wait is known, though, and that no clock can change:
 *
 *   not taken yet   it waits for its window, which began when its run was opened, by Redis's clock
 *   taken before    it backs off, or waits for a lease. When that began is not known, but it can't last longer from now
 *                   on than it was meant to, nor is that cut to less than the longest backoff: workers whose clocks
 *                   differ would take each other's backoffs for late ones, and use the attempts up in moments.
 *   any             nothing is meant to wait longer than an hour (or a hold): a person has put it off
 */
import type { DelayedJob } from '../flush-queue/flush-queue.js'
import type { Policy } from '../policy.js'

/** No window of a producer is longer, and no backoff; a hold that a run was told may be. */
const LONGEST_DELAY_MS = 3_600_000

export interface LateJobClocks {
  readonly redisMs: number
  /** Of this machine: the one that BullMQ goes by. */
  readonly localMs: number
}

/** Whether a delayed job comes later than it can have been meant to. `openedMs`: when its run was opened. */
export function isLate(
  { dueMs, delayMs, wasTaken }: DelayedJob,
  openedMs: number,
  { redisMs, localMs }: LateJobClocks,
  { maxHoldMs, maxBackoffMs, overdueSlackMs }: Pick<Policy, 'maxHoldMs' | 'maxBackoffMs' | 'overdueSlackMs'>,
): boolean {
  if (delayMs > Math.max(LONGEST_DELAY_MS, maxHoldMs)) return true
  const aheadMs = dueMs - localMs - overdueSlackMs
  if (wasTaken) return aheadMs > Math.max(delayMs, maxBackoffMs)
  const pendingMs = redisMs - openedMs
  // Redis's clock was set back: only that it can't last longer than from now on is known here, too.
  return pendingMs < 0 ? aheadMs > delayMs : pendingMs > delayMs + overdueSlackMs
}
