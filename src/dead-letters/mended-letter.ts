import { SiftRunUpdaterError } from '../errors.js'
import { parseStamp, toWrites, type Write } from '../pending/entry.js'
import { FIELDS } from '../run/fields.js'
import { parseRunUpdate } from '../run/parse.js'
import type { DeadLetter } from './dead-letter.js'

/** A letter that can't be retried as it is: its data was edited into something else, or could never be read. */
export class UnreadableLetterError extends SiftRunUpdaterError {
  readonly code = 'unreadable_letter'
}

/**
 * The writes of a letter as its job holds them now: a person may have mended `run` in a dashboard, so all of it is
 * parsed again. Each keeps the order that it had.
 * @throws UnreadableLetterError
 */
export function readMendedWrites(letter: DeadLetter): (Write & { stamp: string })[] {
  const name = `the dead letter ${letter.id}`
  if (letter.reason === 'corrupt_entry') {
    throw new UnreadableLetterError(
      `${name} holds what could never be read: enqueue what it should have been, and discard it`,
    )
  }
  // Field by field: each came with an update that was small enough, and all of them together may not be.
  return letter.updateMask.split(',').flatMap((text) => {
    const path = text.trim()
    const parsed = parseRunUpdate({ run: withoutOtherFields(letter.run, path), updateMask: path })
    if (!parsed.ok) {
      throw new UnreadableLetterError(
        `${name} was edited into no update: ${parsed.error.message} (at ${parsed.error.path})`,
      )
    }
    const { runId, writes } = parsed.update
    if (runId !== letter.runId) {
      throw new UnreadableLetterError(
        `${name} is of run ${letter.runId}, and was edited to be of ${runId}: enqueue a new update instead`,
      )
    }
    return toWrites(writes).map((write) => withStamp(write, letter))
  })
}

/** What is no field of the table stays, to be refused. */
function withoutOtherFields(run: DeadLetter['run'], path: string): Record<string, unknown> {
  const others = FIELDS.filter((field) => path !== '' && field.path !== path && field.protoName !== path)
  const names = new Set<string>(others.flatMap((field) => [field.path, field.protoName]))
  return Object.fromEntries(Object.entries(run).filter(([key]) => !names.has(key)))
}

function withStamp(write: Write, { id, stamps }: DeadLetter): Write & { stamp: string } {
  const stamp = stamps?.[write.path]
  if (stamp === undefined || !parseStamp(stamp)) {
    throw new UnreadableLetterError(
      `the dead letter ${id} never had a write of ${write.path}: enqueue a new update for that field`,
    )
  }
  return { ...write, stamp }
}
