import { SiftRunUpdaterError } from '../errors.js'
import { parseStamp, toWrites, type Write } from '../pending/entry.js'
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
  const parsed = parseRunUpdate({ run: letter.run, updateMask: letter.updateMask })
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
  return toWrites(writes).map((write) => {
    const stamp = letter.stamps?.[write.path]
    if (stamp === undefined || !parseStamp(stamp)) {
      throw new UnreadableLetterError(`${name} never had a write of ${write.path}: enqueue a new update for that field`)
    }
    return { ...write, stamp }
  })
}
