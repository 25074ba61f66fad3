import { createInterface } from 'node:readline/promises'
import { Command } from 'commander'
import type { DeadLetter } from '../../dead-letters/dead-letter.js'
import type { DeadLetters } from '../../dead-letters/dead-letters.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { withLane } from '../lane-session.js'
import { plural, printJson, tell } from '../output.js'
import { addSettings, LANE_SETTINGS, readSettings } from '../settings.js'
import { printLetters } from './list.js'
import { addSelection, readSelection, type SelectionOptions, select } from './selection.js'

interface DiscardOptions extends SelectionOptions {
  readonly yes?: true
  readonly dryRun?: true
  readonly json?: true
}

export function createDiscardCommand(): Command {
  const command = addSelection(new Command('discard').description('throw dead letters away, for good'))
    .option('--yes', 'do not ask')
    .option('--dry-run', 'print which ones, and change nothing')
    .option('--json', 'print JSON, one line each')
    .action(async (ids: string[], options: DiscardOptions) => {
      const selection = readSelection(ids, options, { mustSelect: true })
      if (!options.yes && !options.dryRun && !canAsk()) {
        throw new UsageError('Discarding is for good, and there is nobody to ask: add --yes, or try --dry-run first.')
      }
      await withLane(readSettings(command), async ({ deadLetters }) => {
        const { letters, missing } = await select(deadLetters, selection)
        const areAllDone = await discardSelected(deadLetters, letters, options)
        if (missing.length > 0 || !areAllDone) process.exitCode = EXIT.refused
      })
    })
  return addSettings(command, LANE_SETTINGS)
}

async function discardSelected(
  deadLetters: DeadLetters,
  letters: readonly DeadLetter[],
  options: DiscardOptions,
): Promise<boolean> {
  if (options.dryRun) {
    printLetters(letters, options)
    tell(`${plural(letters.length, 'dead letter')} would be discarded.`)
    return true
  }
  if (letters.length === 0) return true
  if (!options.yes && !(await confirm(`Discard ${plural(letters.length, 'dead letter')} for good?`))) {
    tell('Nothing was discarded.')
    return false
  }
  let discarded = 0
  for (const { id } of letters) {
    const { kind, ...rest } = await deadLetters.discard(id)
    if ('letter' in rest) logDiscarded(rest.letter)
    else if (kind === 'busy') tell(`${id} stays: it is being retried at this moment.`)
    else tell(`${id} is gone: it was retried or discarded meanwhile.`)
    if (options.json) printJson({ id, result: kind })
    if (kind === 'discarded') discarded++
  }
  tell(`${discarded} of ${plural(letters.length, 'dead letter')} discarded`)
  return discarded === letters.length
}

/** The last trace of it: all that is needed to tell later what was thrown away, and when. */
function logDiscarded({ tries: _tries, ...letter }: DeadLetter): void {
  tell(JSON.stringify({ event: 'dead-letter:discarded', time: new Date().toISOString(), ...letter }))
}

function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } catch (error) {
    // Ctrl-C and Ctrl-D are a no.
    if (!(error instanceof Error && error.name === 'AbortError')) throw error
    tell('')
    return false
  } finally {
    terminal.close()
  }
}
