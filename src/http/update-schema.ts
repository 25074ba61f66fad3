import { z } from 'zod'
import { FIELDS } from '../run/fields.js'

/**
 * An update as the document of the interface shows it, made of the one table of fields. Bodies are judged by the parser,
 * which every intake shares: it tells each item's fate on its own, and knows both spellings of a key.
 */
export const UPDATE_SCHEMA = z.object({
  run: z
    .object({
      runId: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/),
      ...Object.fromEntries(
        FIELDS.map(({ path, schema, clearable }) => [path, (clearable ? schema.nullable() : schema).optional()]),
      ),
    })
    .describe('Null clears a field that can be cleared.'),
  updateMask: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe('Selects what is written; a field that it names and `run` lacks is cleared.'),
  observedAt: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('When this was true: the newest observation of a field wins. Default: the time of arrival.'),
  source: z.string().max(64).optional().describe('Who sends it; shown with a dead letter.'),
})

/** For routes whose body the parser of updates judges. */
export const JUDGED_BY_PARSER = () => (value: unknown) => ({ value })
