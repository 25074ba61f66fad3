import { parseStamp } from '../pending/entry.js'
import type { FieldPath, FieldValue } from '../run/fields.js'
import { buildPatch, type PatchBody } from '../run/patch.js'
import { formatMicroseconds } from '../run/timestamp.js'
import type { DeadLetter } from './dead-letter.js'
import { readMendedWrites } from './mended-letter.js'

/** What was refused, as updates that `enqueue` takes back once a person has mended them. */
export interface LetterUpdate extends PatchBody {
  readonly observedAt: string
  readonly source?: string
}

/**
 * The updates of a letter. Each has the observation time that its writes had, told or not: so the mended value wins over
 * what was older than the refused one, and over nothing that was observed later. Writes that came with different updates
 * become updates of their own again, each as small as it came.
 * @throws UnreadableLetterError where the letter can't be sent as it stands.
 */
export function toUpdates(letter: DeadLetter): LetterUpdate[] {
  const groups = new Map<string, { observedUs: number; source: string; writes: Partial<Record<FieldPath, Value>> }>()
  for (const { path, json, stamp } of readMendedWrites(letter)) {
    const { observedUs = 0, sequence, source = '' } = parseStamp(stamp) ?? {}
    const key = `${observedUs} ${sequence} ${source}`
    const group = groups.get(key) ?? { observedUs, source, writes: {} }
    group.writes[path] = JSON.parse(json) as Value
    groups.set(key, group)
  }
  return [...groups.values()].map(({ observedUs, source, writes }) => ({
    ...buildPatch(letter.runId, writes),
    observedAt: formatMicroseconds(observedUs),
    ...(source !== '' && { source }),
  }))
}

type Value = FieldValue | null
