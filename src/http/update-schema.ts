import { z } from 'zod'
import { FIELDS, type FieldPath, OUTPUT_ONLY_FIELDS } from '../run/fields.js'
import { METADATA_SCHEMA } from './metadata-schema.js'

const time = z.string().meta({ format: 'date-time' })

/** What the schema of a field that checks or transforms by itself does not tell. */
const DESCRIBED: Readonly<Partial<Record<FieldPath, z.ZodType>>> = {
  startTime: time,
  stopTime: time,
  metadata: METADATA_SCHEMA,
}

const fields = FIELDS.map(({ path, schema, clearable }) => {
  const described = DESCRIBED[path] ?? schema
  return [path, (clearable ? described.nullable() : described).optional()] as const
})

const outputOnly = z.unknown().optional().meta({
  readOnly: true,
  description: 'Written by Sift alone: passed over where `updateMask` selects other fields.',
})

/**
 * An update as the document of the interface shows it, made of the one table of fields. Bodies are judged by the parser,
 * which every intake shares: it tells each item's fate on its own, and takes the proto names of keys as well.
 */
export const UPDATE_SCHEMA = z
  .strictObject({
    run: z
      .strictObject({
        runId: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/),
        ...Object.fromEntries(fields),
        ...Object.fromEntries(OUTPUT_ONLY_FIELDS.map(({ path }) => [path, outputOnly])),
      })
      .describe('Null clears a field that can be cleared.'),
    updateMask: z
      .union([z.string(), z.array(z.string())])
      .nullish()
      .describe(
        'Selects what is written: paths, joined by commas or as a list. A field that it names and `run` lacks is cleared.',
      ),
    observedAt: time
      .nullish()
      .describe('When this was true: the newest observation of a field wins. Default: the time of arrival.'),
    source: z.string().max(64).nullish().describe('Who sends it; shown with a dead letter.'),
  })
  .meta({
    id: 'Update',
    description: 'A partial update of a run. Its keys are also taken by their proto names, such as `start_time`.',
  })

/** For routes whose body the parser of updates judges. */
export const JUDGED_BY_PARSER = () => (value: unknown) => ({ value })
