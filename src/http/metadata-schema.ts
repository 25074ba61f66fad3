import { z } from 'zod'

const archivedDate = z.unknown().optional().meta({ readOnly: true })

const entry = z
  .strictObject({
    key: z.strictObject({
      name: z.string().min(1),
      type: z
        .enum([
          'METADATA_KEY_TYPE_STRING',
          'METADATA_KEY_TYPE_NUMBER',
          'METADATA_KEY_TYPE_BOOLEAN',
          'METADATA_KEY_TYPE_UNSPECIFIED',
        ])
        .nullish()
        .describe('Told by the value where it is left out.'),
      archivedDate,
    }),
    stringValue: z.string().nullish(),
    numberValue: z.number().nullish(),
    booleanValue: z.boolean().nullish(),
    archivedDate,
  })
  .describe('Has one of stringValue, numberValue and booleanValue.')

/** Metadata as the document of the interface shows it: the parser reads it by itself, and tells what is wrong. */
export const METADATA_SCHEMA = z.union([
  z.array(entry).describe("The API's list."),
  z
    .record(z.string().min(1), z.union([z.string(), z.number(), z.boolean()]))
    .describe('The same as an object of names and values.'),
])
