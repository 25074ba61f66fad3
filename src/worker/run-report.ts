import type { Redis } from 'ioredis'
import { type DeadLetterListing, toListing } from '../dead-letters/dead-letter.js'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import { readEntries } from '../pending/entry.js'
import type { Lane } from '../redis/lane.js'
import { FIELDS, type FieldPath, type FieldValue } from '../run/fields.js'
import { formatMicroseconds } from '../run/timestamp.js'

export interface RunReportParts {
  readonly redis: Redis
  readonly lane: Lane
  readonly deadLetters: DeadLetters
}

/** What is known of one run, as `run --json` tells it. Times are RFC 3339, with microseconds where they order writes. */
export interface RunReport {
  readonly runId: string
  readonly pending: PendingReport | null
  /** What came of the last request, as it was recorded; null: nothing is remembered. */
  readonly lastSent: Readonly<Record<string, unknown>> | null
  /**
   * By field, in the table's order, the newest write that Sift has taken, of however many requests, as far as it is
   * remembered. After a search for a refused field, the last request is only a part of that.
   */
  readonly applied: Readonly<Partial<Record<FieldPath, AppliedReport>>>
  readonly deadLetters: readonly DeadLetterListing[]
}

export interface AppliedReport {
  readonly observedAt: string
  /** The number of its merge: of two writes of one field, observed at the same moment, the higher one came later. */
  readonly sequence: number
}

export interface PendingReport {
  readonly generation: string
  readonly openedAt: string
  /** Updates that were merged into it. */
  readonly updates: number
  readonly fields: readonly {
    readonly path: string
    /** Null clears the field. */
    readonly value: FieldValue | null
    readonly observedAt: string
    readonly arrivedAt: string
    readonly source: string | null
    readonly redrives: number
  }[]
  /** Fields whose entry can't be read: they become dead letters. */
  readonly corruptFields: readonly string[]
  /** Those that count towards MAX_ATTEMPTS, and all tries that failed. */
  readonly failures: number
  readonly tries: number
  readonly lastFailure: unknown
  /** Until when a worker, or the rest after an ambiguous end, keeps others from sending; null: nobody does. */
  readonly leasedUntil: string | null
}

export async function readRunReport({ redis, lane, deadLetters }: RunReportParts, runId: string): Promise<RunReport> {
  const [pending, sent, [seconds, microseconds]] = await Promise.all([
    redis.hgetall(lane.pending(runId)),
    redis.hgetall(lane.sent(runId)),
    redis.time(),
  ])
  const nowUs = Number(seconds) * 1_000_000 + Number(microseconds)
  const letters: DeadLetterListing[] = []
  for await (const { data } of deadLetters.list()) if (data.runId === runId) letters.push(toListing(data))
  return {
    runId,
    pending: readPending(new Map(Object.entries(pending)), nowUs),
    lastSent: readObject(sent.outcome ?? null),
    applied: readApplied(sent),
    deadLetters: letters,
  }
}

function readApplied(sent: Readonly<Record<string, string>>): RunReport['applied'] {
  const applied: Partial<Record<FieldPath, AppliedReport>> = {}
  for (const { path } of FIELDS) {
    const [, observedUs, sequence] = /^(-?\d+) \d+ (\d+)$/.exec(sent[`applied:${path}`] ?? '') ?? []
    if (observedUs === undefined) continue
    applied[path] = { observedAt: showTime(Number(observedUs)), sequence: Number(sequence) }
  }
  return applied
}

/** What the hash of a pending update says; null: nothing is pending. */
export function readPending(fields: ReadonlyMap<string, string>, nowUs: number): PendingReport | null {
  const generation = fields.get('generation')
  if (generation === undefined) return null
  const number = (name: string): number => Number(fields.get(name) ?? 0) || 0
  const { entries, corrupt } = readEntries(fields)
  const leaseUntilUs = number('leaseUntilUs')
  return {
    generation,
    openedAt: showTime(number('openedUs')),
    updates: number('updates'),
    fields: entries.map(({ path, value, observedUs, arrivedUs, source, redrives }) => ({
      path,
      value,
      observedAt: showTime(observedUs),
      arrivedAt: showTime(arrivedUs),
      source: source || null,
      redrives,
    })),
    corruptFields: corrupt.map(({ path }) => path),
    failures: number('failures'),
    tries: number('tries'),
    lastFailure: readObject(fields.get('trouble') ?? null),
    leasedUntil: leaseUntilUs > nowUs ? showTime(leaseUntilUs) : null,
  }
}

/** A person may have edited the entry, and this is for looking at it. */
function showTime(us: number): string {
  try {
    return formatMicroseconds(us)
  } catch {
    return `${us} us`
  }
}

function readObject(json: string | null): Readonly<Record<string, unknown>> | null {
  if (json === null) return null
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : { text: json }
  } catch {
    return { text: json }
  }
}
