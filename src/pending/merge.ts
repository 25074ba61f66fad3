import type { Redis } from 'ioredis'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import { isNotLoaded } from '../redis/script.js'
import { FIELDS, type FieldPath } from '../run/fields.js'
import type { ParsedUpdate } from '../run/parse.js'
import { formatStamp } from './entry.js'
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
  readonly staleFields: readonly FieldPath[]
  readonly conflictFields: readonly FieldPath[]
  /** The bookkeeping that its writes were given: their order among all others. Empty where it was refused. */
  readonly stamp: string
  /** The client key that holds the place, where there is a conflict. */
  readonly heldClientKey: string | null
  /** Overloaded since Redis takes no writes at all. */
  readonly isRedisFull?: true
}

export type MergeReply =
  | { readonly kind: 'too_late'; readonly nowUs: number }
  | { readonly kind: 'not_loaded' }
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

/** Hands the script to Redis, so that merges run in the order in which they are sent. */
export async function loadMerge(redis: Redis): Promise<void> {
  await SCRIPTS.mergeUpdates.load(redis)
}

/**
 * Merges a batch of updates into what is pending, in their order, in one atomic step: all of it runs, or (too late, or
 * Redis does not have the script) nothing does.
 * @throws what ioredis throws: then the batch may or may not have been merged.
 */
export async function mergeUpdates(
  redis: Redis,
  lane: Lane,
  policy: Policy,
  updates: readonly MergeUpdate[],
  options: MergeOptions = {},
): Promise<MergeReply> {
  // A key ends in its run's id, so that of no run is what all of them begin with.
  const { index, sequence, clock } = lane
  const keys = { index, sequence, clock, pendingPrefix: lane.pending(''), sentPrefix: lane.sent('') }
  const args = {
    nowUs: options.nowUs ?? '',
    notAfterUs: options.notAfterUs === undefined ? '' : Math.floor(options.notAfterUs),
    futureLimitUs: policy.futureLimitMs * 1000,
    maxPendingRuns: options.maxPendingRuns ?? 0,
    memoryIsShort: options.memoryIsShort ? 1 : 0,
    firstPaths: FIRST_PATHS,
    updates: JSON.stringify(updates.map(layOut)),
  }
  let reply: MergeUpdatesReply
  try {
    reply = (await SCRIPTS.mergeUpdates.runLoaded(redis, keys, args)) as MergeUpdatesReply
  } catch (error) {
    if (isNotLoaded(error)) return { kind: 'not_loaded' }
    throw error
  }
  const nowUs = Number(reply[1])
  if (reply[0] === 'too_late') return { kind: 'too_late', nowUs }
  const [, , arrivedText, firstSequence, ...items] = reply
  const arrivedUs = Number(arrivedText)
  const results = updates.map(
    (update, index) => new MergedUpdate(items[index], update, arrivedUs, Number(firstSequence) + index),
  )
  return { kind: 'merged', nowUs, clockAheadMs: (arrivedUs - nowUs) / 1000, results }
}

const FIRST_PATHS = FIELDS.filter(({ merge }) => merge === 'first')
  .map(({ path }) => path)
  .join(' ')

/** An update as the script takes it. All of it is text: what cjson does to numbers and to values is not ours to find out. */
function layOut(update: MergeUpdate): (string | string[])[] {
  const { runId, writes, source = '' } = update
  const parts = [runId, source, particularsOf(update)]
  for (const path of Object.keys(writes) as FieldPath[]) parts.push(path, JSON.stringify(writes[path]))
  return parts
}

/** What most updates lack. */
function particularsOf({ observedAtUs, tie = 0, origin = '', isAwaited = false }: MergeUpdate): '' | string[] {
  if (observedAtUs === undefined && tie === 0 && origin === '' && !isAwaited) return ''
  return [observedAtUs?.toString() ?? '', String(tie), origin, isAwaited ? '1' : '']
}

type MergeUpdatesReply = ['too_late', string] | ['merged', string, string, string, ...MergedReply[]]

type MergedReply =
  | string
  | [status: MergeStatus, generation: string, addJob: number, stale: string, conflicting: string, holder: string]

const NONE: readonly FieldPath[] = Object.freeze([])

/** What becomes of every update of a batch that finds Redis full. */
export const FULL: Merged = Object.freeze({
  status: 'overloaded',
  generation: null,
  addJob: false,
  staleFields: NONE,
  conflictFields: NONE,
  stamp: '',
  heldClientKey: null,
  isRedisFull: true,
})

/** There is one for each update, and few of their stamps are ever read. */
class MergedUpdate implements Merged {
  readonly status: MergeStatus
  readonly generation: string | null
  readonly addJob: boolean
  readonly staleFields: readonly FieldPath[]
  readonly conflictFields: readonly FieldPath[]
  readonly heldClientKey: string | null
  readonly #update: MergeUpdate
  readonly #arrivedUs: number
  readonly #sequence: number

  constructor(reply: MergedReply | undefined, update: MergeUpdate, arrivedUs: number, sequence: number) {
    if (reply === undefined) throw new TypeError('an update was merged without a result')
    const [status, generation, addJob, stale, conflicting, holder] =
      typeof reply === 'string' ? (['accepted', reply, 0, '', '', ''] as const) : reply
    this.status = status
    this.generation = generation || null
    this.addJob = addJob === 1
    this.staleFields = readList(stale)
    this.conflictFields = readList(conflicting)
    this.heldClientKey = holder === '' ? null : JSON.parse(holder)
    this.#update = update
    this.#arrivedUs = arrivedUs
    this.#sequence = sequence
  }

  get stamp(): string {
    if (REFUSED.has(this.status)) return ''
    const { observedAtUs, tie = 0, source = '' } = this.#update
    const observedUs = observedAtUs === undefined ? this.#arrivedUs : Number(observedAtUs)
    return formatStamp({ observedUs, tie, sequence: this.#sequence }, this.#arrivedUs, source)
  }
}

const REFUSED: ReadonlySet<MergeStatus> = new Set(['observed_in_future', 'overloaded', 'unreadable'])

export function readList(list: string): readonly FieldPath[] {
  return list === '' ? NONE : (list.split(' ') as FieldPath[])
}
