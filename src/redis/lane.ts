/**
 * A lane is one queue name: one organization's API key, one rate, one set of keys in Redis. All its keys come from
 * here, and nowhere else, so that a second lane in the same process or a Redis Cluster needs no other change.
 *
 * Two traps shape the names. None lies below BullMQ's own `<prefix>:<queue>:`, since its `removeOrphanedJobs` deletes
 * what it does not know there. And a run's id is prefixed with `r-`, since dashboards take any key that ends in
 * `:meta` for a queue, and a run may be called `meta`.
 */
export interface Lane {
  readonly queueName: string
  /** Prefix of every key; its braces keep all keys of the lane in one slot of a Redis Cluster. */
  readonly prefix: string
  readonly deadLetterQueueName: string
  readonly intakeQueueName: string
  /** Sorted set: run id by the time (ms) when its generation was opened. */
  readonly index: string
  /** Counter: numbers every merge and every generation; none is used twice. */
  readonly sequence: string
  /** The last arrival time given out, in microseconds. */
  readonly clock: string
  /** Hash: the rate, the next free permit, the lane's state, the counters behind it. */
  readonly throttle: string
  /** The version of this layout. */
  readonly schema: string
  /** Sorted set: runs that have dead letters, by the time (ms) of the last one; their `sent` has no TTL. */
  readonly lettered: string
  /** Held, with a TTL, by the worker whose turn it is to sweep. */
  readonly sweeper: string
  /** Where the sweeper's walk over the index has come to. */
  readonly sweepCursor: string
  /** Sorted set: the ids of the dead letters that were recorded, by the time (ms); those gone since count as removed. */
  readonly deadLetterIds: string
  /** Hash: how many dead letters were recorded, redriven and removed since the lane began. */
  readonly deadLetterCounts: string
  /** Hash with a TTL: when the next redrive may be merged, and when the last one asked: they share the rate with live updates. */
  readonly redrivePace: string
  /** Pub/sub channel: the lane's state has changed. */
  readonly announcements: string
  /** Pub/sub channel: what became of writes that somebody waits for. */
  readonly outcomes: string
  /** Hash: the pending update of one run. */
  pending(runId: string): string
  /** With a TTL: this session of a person was signed out of. */
  endedSession(id: string): string
  /** Hash with a TTL: what was last applied to one run, field by field. */
  sent(runId: string): string
}

export const DEFAULT_QUEUE_NAME = 'run-updates'
export const DEFAULT_QUEUE_PREFIX = '{sift}'

/** Whether a lane of this name would share a queue with another lane: the one whose name comes before the ending. */
export function isSideQueueName(queueName: string): boolean {
  return /-(dead-letters|intake)$/.test(queueName)
}

/** The keys of the lane `queueName` under `prefix`. */
export function laneOf(queueName: string = DEFAULT_QUEUE_NAME, prefix: string = DEFAULT_QUEUE_PREFIX): Lane {
  const base = `${prefix}:${queueName}`
  return {
    queueName,
    prefix,
    deadLetterQueueName: `${queueName}-dead-letters`,
    intakeQueueName: `${queueName}-intake`,
    index: `${base}.pending`,
    sequence: `${base}.sequence`,
    clock: `${base}.clock`,
    throttle: `${base}.throttle`,
    schema: `${base}.schema`,
    lettered: `${base}.lettered`,
    sweeper: `${base}.sweeper`,
    sweepCursor: `${base}.sweep-cursor`,
    deadLetterIds: `${base}.dead-letter-ids`,
    deadLetterCounts: `${base}.dead-letter-counts`,
    redrivePace: `${base}.redrive-pace`,
    announcements: `${base}.announcements`,
    outcomes: `${base}.outcomes`,
    endedSession: (id) => `${base}.ended-session:${id}`,
    pending: (runId) => `${base}.pending:r-${runId}`,
    sent: (runId) => `${base}.sent:r-${runId}`,
  }
}
