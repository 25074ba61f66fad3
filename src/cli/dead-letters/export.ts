import { Command } from 'commander'
import type { DeadLetter } from '../../dead-letters/dead-letter.js'
import { type LetterUpdate, toUpdates } from '../../dead-letters/letter-updates.js'
import { UnreadableLetterError } from '../../dead-letters/mended-letter.js'
import { EXIT } from '../exit-codes.js'
import { withLane } from '../lane-session.js'
import { plural, printJson, tell } from '../output.js'
import { addSettings, LANE_SETTINGS, readSettings } from '../settings.js'
import { addSelection, readSelection, type SelectionOptions, select } from './selection.js'

export function createExportCommand(): Command {
  const command = addSelection(
    new Command('export').description(
      'what was refused, as NDJSON updates: mend them, give them to enqueue, and discard the letters',
    ),
  ).action(async (ids: string[], options: SelectionOptions) => {
    const selection = readSelection(ids, options, { mustSelect: true })
    await withLane(readSettings(command), async ({ deadLetters }) => {
      const { letters, missing } = await select(deadLetters, selection)
      const exported = letters.map(readUpdates)
      for (const update of exported.flat()) printJson(update)
      const whole = exported.filter((updates) => updates.length > 0).length
      if (letters.length > 0) tell(`${whole} of ${plural(letters.length, 'dead letter')} exported`)
      if (missing.length > 0 || whole < letters.length) process.exitCode = EXIT.refused
    })
  })
  return addSettings(command, LANE_SETTINGS)
}

/** None where the letter can't be read, which a person is told. */
function readUpdates(letter: DeadLetter): LetterUpdate[] {
  try {
    return toUpdates(letter)
  } catch (error) {
    if (!(error instanceof UnreadableLetterError)) throw error
    tell(`not exported: ${error.message}`)
    return []
  }
}
