import { createHash } from 'node:crypto'
import type { Entry } from '../pending/entry.js'
import { parseStamp } from '../pending/entry.js'
import type { FieldPath, FieldValue } from '../run/fields.js'
import { buildPatch } from '../run/patch.js'
import { PERMANENT_REASONS } from '../sift/verdict.js'

export const DEAD_LETTER_JOB_NAME = 'dead-letter'

export const DEAD_LETTER_REASONS = [
  ...PERMANENT_REASONS,
  'attempts_exhausted',
  'client_key_conflict',
  'corrupt_entry',
] as const

export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number]

/**
 * A refused set of fields of one run, as the data of its BullMQ job: what a dashboard shows, and what a person may mend
 * there before a retry. `run` and `updateMask` hold what was refused.
 */
export interface DeadLetter {
  readonly id: string
  readonly runId: string
  readonly run: Readonly<Record<string, unknown>>
  readonly updateMask: string
  readonly reason: DeadLetterReason
  /** Null where no answer came. */
  readonly httpStatus: number | null
  /** The google.rpc code; null where the answer had none. */
  readonly code: number | null
  /** The API's own words. */
  readonly message: string
  /** RFC 3339. */
  readonly deadLetteredAt: string
  /** How many requests were made for it. */
  readonly attempts: number
  readonly sources: readonly string[]
  /** The key that the run holds, for a client key conflict. */
  readonly heldClientKey?: string
  /** Each request that was made, with its time and what came of it. */
  readonly tries: readonly string[]
  /** Bookkeeping of each field: a retry keeps the order that the write had. Not for editing. */
  readonly stamps: Readonly<Record<string, string>>
  /** What could not be read, as it stood in Redis, for a corrupt entry. */
  readonly raw?: Readonly<Record<string, string>>
}

/** What a dead letter is made of. */
export interface Refusal {
  readonly runId: string
  readonly writes: readonly Pick<Entry, 'path' | 'value' | 'stamp' | 'source'>[]
  readonly reason: DeadLetterReason
  readonly message: string
  readonly httpStatus?: number | undefined
  readonly code?: number | undefined
  readonly heldClientKey?: string | undefined
  readonly tries: readonly string[]
  readonly raw?: Readonly<Record<string, string>>
}

export function toDeadLetter(refusal: Refusal, now: Date): DeadLetter {
  const { runId, writes, heldClientKey, raw } = refusal
  const values: Partial<Record<FieldPath, FieldValue | null>> = {}
  for (const { path, value } of writes) values[path] = value
  const stamps = Object.fromEntries(writes.map(({ path, stamp }) => [path, stamp]))
  return {
    id: deadLetterId(runId, { ...stamps, ...raw }),
    runId,
    // Of a corrupt entry there is nothing that could be sent.
    ...(writes.length > 0 ? buildPatch(runId, values) : { run: { runId }, updateMask: '' }),
    reason: refusal.reason,
    httpStatus: refusal.httpStatus ?? null,
    code: refusal.code ?? null,
    message: refusal.message,
    deadLetteredAt: now.toISOString(),
    attempts: refusal.tries.length,
    sources: [...new Set(writes.map(({ source }) => source).filter((source) => source !== ''))],
    ...(heldClientKey !== undefined && { heldClientKey }),
    tries: refusal.tries,
    stamps,
    ...(raw !== undefined && { raw }),
  }
}

/**
 * The id of a letter: the same after a crash in the middle of recording, so that nothing is recorded twice, and another
 * after each redrive, since BullMQ ignores a job whose id it still has.
 */
function deadLetterId(runId: string, stamps: Readonly<Record<string, string>>): string {
  const identity = Object.entries(stamps)
    .map(([path, stamp]) => {
      const parsed = parseStamp(stamp)
      return parsed ? `${path} ${parsed.sequence} ${parsed.redrives}` : `${path} ${stamp}`
    })
    .sort()
    .join('\n')
  return `${runId}.${createHash('sha256').update(identity).digest('hex').slice(0, 16)}`
}

/** The run of a letter's id. */
export function runIdOf(letterId: string): string {
  return letterId.slice(0, letterId.lastIndexOf('.'))
}

export type DeadLetterListing = Omit<DeadLetter, 'tries' | 'stamps' | 'raw'>

/** A letter as `dead-letters list --json` and the HTTP interface tell it. */
export function toListing({ tries: _tries, stamps: _stamps, raw: _raw, ...listing }: DeadLetter): DeadLetterListing {
  return listing
}
