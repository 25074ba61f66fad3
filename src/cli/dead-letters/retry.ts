import { Command } from 'commander'
import type { DeadLetter } from '../../dead-letters/dead-letter.js'
import type { DeadLetters } from '../../dead-letters/dead-letters.js'
import { UnreadableLetterError } from '../../dead-letters/mended-letter.js'
import { EXIT } from '../exit-codes.js'
import { withLane } from '../lane-session.js'
import { plural, printJson, tell } from '../output.js'
import { openBar } from '../progress-bar.js'
import { addSettings, LANE_SETTINGS, readSettings } from '../settings.js'
import { printLetters } from './list.js'
import { addSelection, readSelection, type SelectionOptions, select } from './selection.js'

type Result = 'redriven' | 'stale' | 'conflict' | 'unreadable' | 'missing'

interface Outcome {
  readonly id: string
  readonly result: Result
  /** What a person must know of it. */
  readonly note?: string
}

export function createRetryCommand(): Command {
  const command = addSelection(
    new Command('retry').description('send dead letters again, each with its original order'),
  )
    .option('--dry-run', 'print which ones, and change nothing')
    .option('--json', 'print JSON, one line each')
    .action(async (ids: string[], options: SelectionOptions & { dryRun?: true; json?: true }) => {
      const selection = readSelection(ids, options, { mustSelect: true })
      await withLane(readSettings(command), async ({ deadLetters }) => {
        const { letters, missing } = await select(deadLetters, selection)
        warnOfStartTimes(letters)
        if (options.dryRun) {
          printLetters(letters, options)
          tell(`${plural(letters.length, 'dead letter')} would be retried.`)
        } else if (letters.length > 0) {
          const outcomes = await retryAll(deadLetters, letters)
          if (options.json) for (const { id, result } of outcomes) printJson({ id, result })
          if (outcomes.some(({ result }) => result !== 'redriven' && result !== 'stale'))
            process.exitCode = EXIT.refused
        }
        if (missing.length > 0) process.exitCode = EXIT.refused
      })
    })
  return addSettings(command, [...LANE_SETTINGS, 'COALESCE_WINDOW_MS'])
}

/** One after the other: they take turns with live updates anyhow. Tells how far it came, whatever ends it. */
async function retryAll(deadLetters: DeadLetters, letters: readonly DeadLetter[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const bar =
    letters.length > 1 ? openBar(letters.length, 'retrying {bar} {value}/{total}, {eta_formatted} to go') : undefined
  bar?.start(letters.length, 0)
  try {
    for (const { id } of letters) {
      outcomes.push(await retryOne(deadLetters, id))
      bar?.increment()
    }
    return outcomes
  } finally {
    bar?.stop()
    for (const { note } of outcomes) if (note !== undefined) tell(note)
    tell(summarise(outcomes, letters.length))
  }
}

async function retryOne(deadLetters: DeadLetters, id: string): Promise<Outcome> {
  try {
    const retried = await deadLetters.retry(id)
    switch (retried.kind) {
      case 'missing':
        return { id, result: 'missing', note: `${id} is gone: it was retried or discarded meanwhile.` }
      case 'conflict': {
        const held = JSON.stringify(retried.heldClientKey)
        return {
          id,
          result: 'conflict',
          note: `${id} stays: its client key is in conflict again, the run has ${held}.`,
        }
      }
      case 'redriven': {
        const { acceptedFields, staleFields } = retried
        if (staleFields.length === 0) return { id, result: 'redriven' }
        const note = `${id}: ${staleFields.join(', ')} had a newer value already, so the old one was dropped.`
        return { id, result: acceptedFields.length > 0 ? 'redriven' : 'stale', note }
      }
    }
  } catch (error) {
    if (!(error instanceof UnreadableLetterError)) throw error
    return { id, result: 'unreadable', note: `${id} stays as it is: ${error.message}` }
  }
}

function summarise(outcomes: readonly Outcome[], asked: number): string {
  const count = (result: Result): number => outcomes.filter((outcome) => outcome.result === result).length
  const stayed = count('conflict') + count('unreadable')
  return [
    `${count('redriven')} of ${plural(asked, 'dead letter')} redriven`,
    ...(count('stale') > 0 ? [`${count('stale')} stale, off the list`] : []),
    ...(stayed > 0 ? [`${stayed} could not be, and stay`] : []),
    ...(outcomes.length < asked ? [`${asked - outcomes.length} not reached`] : []),
  ].join(', ')
}

/** A start time that is no longer on its way is easily older than the one that Sift has set itself. */
function warnOfStartTimes(letters: readonly DeadLetter[]): void {
  const count = letters.filter(({ updateMask }) => updateMask.split(',').includes('startTime')).length
  if (count === 0) return
  const which = count === 1 ? '1 dead letter writes' : `${plural(count, 'dead letter')} write`
  tell(
    `warning: ${which} startTime. Sift overwrites it when ingestion starts, and a redrive after that undoes it. See each with dead-letters show.`,
  )
}
