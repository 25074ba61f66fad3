import { z } from 'zod'
import type { FlushedNow } from '../flush-queue/flush-now.js'
import { FIELDS } from '../run/fields.js'
import type { RunReport } from '../worker/run-report.js'
import { LETTER_LISTING } from './letter-schema.js'

const time = z.string().describe('RFC 3339, with microseconds.')

const outcome = z.record(z.string(), z.unknown()).nullable()

export const RUN_REPORT = z.object({
  runId: z.string(),
  pending: z
    .object({
      generation: z.string(),
      openedAt: time,
      updates: z.int().describe('Updates that were merged into it.'),
      fields: z.array(
        z.object({
          path: z.string(),
          value: z.any().describe('Null clears the field.'),
          observedAt: time,
          arrivedAt: time,
          source: z.string().nullable(),
          redrives: z.int(),
        }),
      ),
      corruptFields: z.array(z.string()).describe("Fields whose entry can't be read: they become dead letters."),
      failures: z.int().describe('Those that count towards MAX_ATTEMPTS.'),
      tries: z.int().describe('All tries that failed.'),
      lastFailure: outcome,
      leasedUntil: time.nullable().describe('Until when nobody else may send it; null: nobody keeps others from it.'),
    })
    .nullable()
    .describe('Null: nothing is pending.'),
  lastSent: outcome.describe('What came of the last request; null: nothing is remembered.'),
  applied: z
    .partialRecord(z.enum(FIELDS.map(({ path }) => path)), z.object({ observedAt: time, sequence: z.int() }))
    .describe('By field, the newest write that Sift has taken, of however many requests, as far as it is remembered.'),
  deadLetters: z.array(LETTER_LISTING),
}) satisfies z.ZodType<RunReport>

const flushed = z.enum(['hastened', 'reopened', 'on_its_way', 'nothing_pending', 'unreadable'])

export const FLUSHED = z.object({
  runId: z.string(),
  result: flushed,
  queuePaused: z.literal(true).optional().describe('Somebody has paused the queue in BullMQ.'),
  message: z.string().optional().describe('What that means; only with `queuePaused`.'),
}) satisfies z.ZodType<{ result: FlushedNow }>
