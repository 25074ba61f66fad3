import type { Redis } from 'ioredis'
import type { PendingUpdates } from '../pending/pending-updates.js'
import type { Lane } from '../redis/lane.js'
import type { FlushQueue } from './flush-queue.js'

export interface FlushNowParts {
  readonly redis: Redis
  readonly lane: Lane
  readonly pending: PendingUpdates
  readonly flushQueue: FlushQueue
}

/**
 * `hastened`: its job waited for a window or a backoff, and runs now. `reopened`: its job was missing, and is there
 * again. `on_its_way`: its job waits for a worker, or one is at work on it. `unreadable`: something else lies under the key
 * of its pending update.
 */
export type FlushedNow = 'hastened' | 'reopened' | 'on_its_way' | 'nothing_pending' | 'unreadable'

/** Told beside what became of a run: its job has its turn, and nobody takes it. */
export const QUEUE_PAUSED =
  'The queue is paused in BullMQ: nothing is sent before it is resumed, in a dashboard for one. Then it goes.'

/** As many runs as are looked at together. */
const PAGE = 200

/** Lets what is pending for a run be sent without waiting for its window or backoff. A hold is not passed by. */
export async function flushNow(parts: FlushNowParts, runId: string): Promise<FlushedNow> {
  try {
    return await flushReadable(parts, runId)
  } catch (error) {
    if (isWrongType(error)) return 'unreadable'
    throw error
  }
}

/** A person has put something else under a key of ours: that must cost its run only. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.includes('WRONGTYPE')
}

async function flushReadable(parts: FlushNowParts, runId: string): Promise<FlushedNow> {
  const { redis, lane, pending, flushQueue } = parts
  const generation = await redis.hget(lane.pending(runId), 'generation')
  if (generation === null) {
    const opened = await pending.reopen(runId, null)
    if (opened === null) return 'nothing_pending'
    await flushQueue.add([{ runId, generation: opened, delayMs: 0 }])
    return 'reopened'
  }
  switch (await flushQueue.promote(runId, generation)) {
    case 'delayed':
      return 'hastened'
    case 'waiting':
    case 'active':
      return 'on_its_way'
    case 'missing': {
      const opened = await pending.reopen(runId, generation)
      // Its job has ended, or somebody else has reopened it, between the two looks: either way it is being dealt with.
      if (opened === null) return 'on_its_way'
      await flushQueue.add([{ runId, generation: opened, delayMs: 0 }])
      return 'reopened'
    }
  }
}

/** The same for every run that is pending now. `onFlushed` is told of each. */
export async function flushAllNow(
  parts: FlushNowParts,
  onFlushed: (runId: string, flushed: FlushedNow) => void,
): Promise<void> {
  // All ids first, and not by position page by page: runs leave the index meanwhile.
  const runIds = await parts.redis.zrange(parts.lane.index, '0', '-1')
  for (let start = 0; start < runIds.length; start += PAGE) {
    const page = runIds.slice(start, start + PAGE)
    await Promise.all(page.map(async (runId) => onFlushed(runId, await flushNow(parts, runId))))
  }
}
