import { z } from 'zod'
import { DEAD_LETTER_REASONS, type DeadLetter, type DeadLetterListing } from '../dead-letters/dead-letter.js'

const listing = z.object({
  id: z.string(),
  runId: z.string(),
  run: z.record(z.string(), z.unknown()).describe('What was refused, as Sift would have been sent it.'),
  updateMask: z.string(),
  reason: z.enum(DEAD_LETTER_REASONS),
  httpStatus: z.int().nullable().describe('Null where no answer came.'),
  code: z.int().nullable().describe('The google.rpc code; null where the answer had none.'),
  message: z.string().describe("The API's own words."),
  deadLetteredAt: z.iso.datetime(),
  attempts: z.int().describe('How many requests were made for it.'),
  sources: z.array(z.string()),
  heldClientKey: z.string().exactOptional().describe('The key that the run holds, for a client key conflict.'),
})

export const LETTER_LISTING = listing.meta({ id: 'DeadLetter' }) satisfies z.ZodType<DeadLetterListing>

export const LETTER = listing.extend({
  tries: z.array(z.string()).describe('Each request that was made, with its time and what came of it.'),
  raw: z
    .record(z.string(), z.string())
    .exactOptional()
    .describe('What could not be read, as it stood in Redis, for a corrupt entry.'),
}) satisfies z.ZodType<Omit<DeadLetter, 'stamps'>>
