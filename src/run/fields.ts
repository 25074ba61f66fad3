import { z } from 'zod'
import { metadataSchema } from './metadata.js'
import { textSchema } from './text.js'
import { parseTimestamp } from './timestamp.js'

/** `latest`: the newest write of the field wins. `first`: it can be set once, so the first to arrive stays. */
export type MergeRule = 'latest' | 'first'

interface FieldRow {
  /** The JSON name, and the path in an update mask: grpc-gateway refuses paths with underscores. */
  readonly path: string
  /** The proto field name, which Sift takes as a key of `run`, too. */
  readonly protoName: string
  /** Validates a value and gives it the one form that is sent. */
  readonly schema: z.ZodType
  /** Whether the field may be in a mask without a value. Where it may not, an empty string is no value either. */
  readonly clearable: boolean
  readonly merge: MergeRule
}

// A check, since a transform is a second schema with a context of its own: it took longer than all the rest of an update.
const timestampSchema = z.string('it must be a string, an RFC 3339 time').check((payload) => {
  const timestamp = parseTimestamp(payload.value)
  if (timestamp !== undefined) {
    payload.value = timestamp.text
    return
  }
  const message = 'it must be an RFC 3339 time with an offset, such as 2026-03-01T10:00:00.123456789Z'
  payload.issues.push({ code: 'custom', message, input: payload.value })
})

const booleanSchema = z.boolean('it must be true or false')

const tagsSchema = z
  .array(textSchema.min(1, 'a tag must not be empty'), 'it must be a list of strings')
  .transform((tags) => [...new Set(tags)])

/**
 * The fields of a run that can be updated, in the order in which masks list them. This table is the one place that
 * knows a field: parsing, merging, masks, types and the oracle come from it.
 */
export const FIELDS = [
  { path: 'name', protoName: 'name', schema: textSchema, clearable: false, merge: 'latest' },
  { path: 'description', protoName: 'description', schema: textSchema, clearable: true, merge: 'latest' },
  { path: 'startTime', protoName: 'start_time', schema: timestampSchema, clearable: true, merge: 'latest' },
  { path: 'stopTime', protoName: 'stop_time', schema: timestampSchema, clearable: true, merge: 'latest' },
  { path: 'isPinned', protoName: 'is_pinned', schema: booleanSchema, clearable: true, merge: 'latest' },
  { path: 'clientKey', protoName: 'client_key', schema: textSchema, clearable: false, merge: 'first' },
  { path: 'tags', protoName: 'tags', schema: tagsSchema, clearable: true, merge: 'latest' },
  { path: 'metadata', protoName: 'metadata', schema: metadataSchema, clearable: true, merge: 'latest' },
  { path: 'isArchived', protoName: 'is_archived', schema: booleanSchema, clearable: true, merge: 'latest' },
] as const satisfies readonly FieldRow[]

export type Field = (typeof FIELDS)[number]

export type FieldPath = Field['path']

/** A value in the form that is sent. */
export type FieldValue = z.output<Field['schema']>

/** Writes of a run's fields; null clears the field. */
export type Writes = Readonly<Partial<Record<FieldPath, FieldValue | null>>>

/** What Sift alone writes: passed over beside a mask that selects other fields, refused otherwise. */
export const OUTPUT_ONLY_FIELDS = [
  { path: 'createdDate', protoName: 'created_date' },
  { path: 'modifiedDate', protoName: 'modified_date' },
  { path: 'createdByUserId', protoName: 'created_by_user_id' },
  { path: 'modifiedByUserId', protoName: 'modified_by_user_id' },
  { path: 'organizationId', protoName: 'organization_id' },
  { path: 'assetIds', protoName: 'asset_ids' },
  { path: 'isAdhoc', protoName: 'is_adhoc' },
  { path: 'defaultReportId', protoName: 'default_report_id' },
  { path: 'archivedDate', protoName: 'archived_date' },
  { path: 'duration', protoName: 'duration' },
] as const

const BY_PATH: ReadonlyMap<string, Field> = new Map(FIELDS.map((field) => [field.path, field]))

/** @returns The row of a path in its JSON spelling; undefined where the table has none. */
export function fieldByPath(path: FieldPath): Field
export function fieldByPath(path: string): Field | undefined
export function fieldByPath(path: string): Field | undefined {
  return BY_PATH.get(path)
}
