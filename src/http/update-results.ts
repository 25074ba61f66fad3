import { z } from 'zod'
import { REJECTION_CODES } from '../errors.js'
import type { EnqueueResult } from '../producer/enqueue-result.js'
import { FIELDS, type FieldPath } from '../run/fields.js'

/** What became of one update, as the answer tells it. Empty lists and missing errors are left out. */
export interface UpdateItem {
  readonly status: EnqueueResult['status']
  readonly runId: string | null
  readonly generation: string | null
  readonly staleFields?: readonly FieldPath[]
  readonly conflictFields?: readonly FieldPath[]
  readonly error?: { readonly code: string; readonly path: string; readonly message: string }
}

const fieldPaths = z.array(z.enum(FIELDS.map(({ path }) => path)))

/** It as the document of the interface shows it. */
export const UPDATE_ITEM = z
  .object({
    status: z.enum(['accepted', 'stale', 'conflict', 'rejected']),
    runId: z.string().nullable().describe('Null where the update names no run.'),
    generation: z
      .string()
      .nullable()
      .describe('The pending update that it was merged into; null: nothing is pending for its run.'),
    staleFields: fieldPaths.exactOptional().describe('Fields that were older than what is known.'),
    conflictFields: fieldPaths.exactOptional().describe('A client key that came second; it is a dead letter now.'),
    error: z
      .object({ code: z.enum(Object.keys(REJECTION_CODES)), path: z.string(), message: z.string() })
      .exactOptional()
      .describe('Why it was rejected.'),
  })
  .meta({ id: 'UpdateResult' }) satisfies z.ZodType<UpdateItem>

/** A line of the answer to lines: one for each, and the last one sums up. */
export const RESULT_LINE = z.union([
  UPDATE_ITEM.extend({ line: z.int() }),
  z
    .object({
      summary: z.object({
        read: z.int(),
        accepted: z.int(),
        stale: z.int(),
        conflicts: z.int(),
        rejected: z.int(),
      }),
      error: z
        .object({ code: z.int().describe('The google.rpc code.'), message: z.string() })
        .optional()
        .describe('What ended it before its end: lines without an answer may or may not have been taken.'),
    })
    .describe('The last line.'),
])

/** How many updates of each fate; `read` is their sum. */
export class UpdateCounts {
  read = 0
  accepted = 0
  stale = 0
  conflicts = 0
  rejected = 0
  /** Of the rejected ones: those that only came at the wrong time. */
  #overloaded = 0

  note({ status, error }: Pick<EnqueueResult, 'status' | 'error'>): void {
    this.read++
    if (status === 'conflict') this.conflicts++
    else this[status]++
    if (error?.code === 'overloaded') this.#overloaded++
  }

  /** 202: Redis has at least one of them, or there were none. 503: trying again later makes sense. 400: it does not. */
  get status(): 202 | 400 | 503 {
    if (this.read === 0 || this.rejected < this.read) return 202
    return this.#overloaded > 0 ? 503 : 400
  }
}

export function toItem({ status, runId, generation, staleFields, conflictFields, error }: EnqueueResult): UpdateItem {
  return {
    status,
    runId,
    generation,
    ...(staleFields.length > 0 && { staleFields }),
    ...(conflictFields.length > 0 && { conflictFields }),
    ...(error && { error: { code: error.code, path: error.path, message: error.message } }),
  }
}
