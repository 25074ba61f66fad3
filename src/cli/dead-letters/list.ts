import { Command } from 'commander'
import type { DeadLetter } from '../../dead-letters/dead-letter.js'
import { toListing } from '../../dead-letters/dead-letter.js'
import { EXIT } from '../exit-codes.js'
import { withLane } from '../lane-session.js'
import { endWithReader, plural, printJson, printLine, tell } from '../output.js'
import { addSettings, LANE_SETTINGS, readSettings } from '../settings.js'
import { renderLetters } from './letter-table.js'
import { addSelection, readSelection, type SelectionOptions, select } from './selection.js'

export function createListCommand(): Command {
  const command = addSelection(new Command('list').description('the dead letters of the lane, newest first'))
    .option('--json', 'print JSON, one line each')
    .action(async (ids: string[], options: SelectionOptions & { json?: true }) => {
      endWithReader()
      const selection = readSelection(ids, options, { mustSelect: false })
      await withLane(readSettings(command), async ({ deadLetters }) => {
        const { letters, missing } = await select(deadLetters, selection)
        printLetters(letters, options)
        if (!options.json && letters.length > 0) tell(plural(letters.length, 'dead letter'))
        if (missing.length > 0) process.exitCode = EXIT.refused
      })
    })
  return addSettings(command, LANE_SETTINGS)
}

/** The letters as data: a table, or JSON. A pipe has no width, so nothing is cut for it. */
export function printLetters(letters: readonly DeadLetter[], { json }: { json?: true }): void {
  if (json) for (const letter of letters) printJson(toListing(letter))
  else if (letters.length > 0) {
    const width = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY
    printLine(renderLetters(letters, width, Date.now()))
  }
}
