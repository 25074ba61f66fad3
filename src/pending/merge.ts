import type { Redis } from 'ioredis'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import type { FieldPath } from '../run/fields.js'
import type { ParsedUpdate } from '../run/parse.js'
import { toWrites } from './entry.js'
import { SCRIPTS } from './scripts.js'

/** An update on its way into Redis; `tie` orders observations of one instant (the number of an intake job). */
export interface MergeUpdate extends ParsedUpdate {
  readonly tie?: number
  /** Where it came from, for tracing: one word. Absent where it isn't traced. */
  readonly origin?: string
  /** Somebody waits for what becomes of it: that is announced, with Sift's answer. */
  readonly isAwaited?: boolean
}

export type MergeStatus = 'accepted' | 'stale' | 'conflict' | 'observed_in_future' | 'overloaded' | 'unreadable'

/** What became of one update. */
export interface Merged {
  readonly status: MergeStatus
  /** The generation that it met or opened; null where nothing is pending for the run. */
  readonly generation: string | null
  /** Its generation was opened by it: its caller must add the flush job. */
  readonly addJob: boolean
  readonly staleFields: FieldPath[]
  readonly conflictFields: FieldPath[]
  /** The bookkeeping that its writes were given: their order among all others. Empty where it was refused. */
  readonly stamp: string
  /** The client key that holds the place, where there is a conflict. */
  readonly heldClientKey: string | null
}

export type MergeReply =
  | { readonly kind: 'too_late'; readonly nowUs: number }
  | {
      readonly kind: 'merged'
      readonly nowUs: number
      /** How far arrival times run ahead of Redis's clock, which was set back. */
      readonly clockAheadMs: number
      readonly results: readonly Merged[]
    }

export interface MergeOptions {
  /** The latest time of Redis, in microseconds, at which the merge may still run. */
  readonly notAfterUs?: number
  /** At this many pending runs, no new one is taken. */
  readonly maxPendingRuns?: number
  readonly memoryIsShort?: boolean
  /** The clock of Redis, for tests. */
  readonly nowUs?: number
}

/**
 * Merges a batch of updates into what is pending, in their order, in one atomic step: all of it runs, or (too late)
 * nothing does.
 * @throws what ioredis throws: then the batch may or may not have been merged.
 */
export async function mergeUpdates(
  redis: Redis,
  lane: Lane,
  policy: Policy,
  updates: readonly MergeUpdate[],
  options: MergeOptions = {},
): Promise<MergeReply> {
  const keys: string[] = []
  const args: (string | number)[] = []
  for (const update of updates) {
    keys.push(lane.pending(update.runId), lane.sent(update.runId))
    const writes = toWrites(update.writes)
    args.push(update.runId, update.observedAtUs?.toString() ?? '', update.tie ?? 0, update.source ?? '')
    args.push(update.origin ?? '', update.isAwaited ? 1 : 0, writes.length)
    for (const write of writes) args.push(write.path, write.rule, write.json)
  }
  const reply = (await SCRIPTS.mergeUpdates.run(
    redis,
    lane,
    {
      nowUs: options.nowUs ?? '',
      notAfterUs: options.notAfterUs === undefined ? '' : Math.floor(options.notAfterUs),
      futureLimitUs: policy.futureLimitMs * 1000,
      maxPendingRuns: options.maxPendingRuns ?? 0,
      memoryIsShort: options.memoryIsShort ? 1 : 0,
    },
    { keys, args },
  )) as ['too_late', string] | ['merged', string, string, ...MergedReply[]]
  const nowUs = Number(reply[1])
  if (reply[0] === 'too_late') return { kind: 'too_late', nowUs }
  const [, , aheadUs, ...results] = reply
  return { kind: 'merged', nowUs, clockAheadMs: Number(aheadUs) / 1000, results: results.map(readMerged) }
}

type MergedReply = [
  status: MergeStatus,
  generation: string,
  addJob: number,
  stale: string,
  conflicting: string,
  stamp: string,
  holder: string,
]

function readMerged([status, generation, addJob, stale, conflicting, stamp, holder]: MergedReply): Merged {
  return {
    status,
    generation: generation || null,
    addJob: addJob === 1,
    staleFields: readList(stale),
    conflictFields: readList(conflicting),
    stamp,
    heldClientKey: holder === '' ? null : JSON.parse(holder),
  }
}

export function readList(list: string): FieldPath[] {
  return list === '' ? [] : (list.split(' ') as FieldPath[])
}
