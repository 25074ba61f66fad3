import { type Command, InvalidArgumentError, Option } from 'commander'
import type { DeadLetter } from '../../dead-letters/dead-letter.js'
import { type DeadLetterFilter, matches, parseAge } from '../../dead-letters/dead-letter-filter.js'
import type { DeadLetters } from '../../dead-letters/dead-letters.js'
import { UsageError } from '../exit-codes.js'
import { tell } from '../output.js'

/** Options that say which letters are meant, as commander reads them. */
export interface SelectionOptions {
  readonly run?: string
  readonly reason?: string
  readonly source?: string
  /** Milliseconds. */
  readonly olderThan?: number
  readonly all?: true
  readonly limit?: number
}

/** Which letters are meant: these, or all that match, newest first. */
export type Selection =
  | { readonly ids: readonly string[] }
  | { readonly ids?: never; readonly filter: DeadLetterFilter; readonly limit: number }

export interface Selected {
  readonly letters: readonly DeadLetter[]
  /** Ids that were asked for and are not there. */
  readonly missing: readonly string[]
}

/** Gives a command the ids and options that say which letters are meant. */
export function addSelection(command: Command): Command {
  return command
    .argument('[ids...]', 'the dead letters meant, instead of a filter')
    .option('--run <id>', 'those of this run')
    .option('--reason <reason>', 'those refused for this reason')
    .option('--source <source>', 'those that this source wrote')
    .addOption(new Option('--older-than <age>', 'those older than this, such as 30m, 2h or 7d').argParser(readAge))
    .option('--all', 'all of them')
    .addOption(new Option('--limit <count>', 'no more than this many, the newest first').argParser(readCount))
}

/**
 * @throws UsageError where ids and a filter are given at once, or nothing where something is asked for.
 */
export function readSelection(
  ids: readonly string[],
  options: SelectionOptions,
  { mustSelect }: { mustSelect: boolean },
): Selection {
  const { run, reason, source, olderThan, all, limit = Number.POSITIVE_INFINITY } = options
  const filter: DeadLetterFilter = {
    ...(run !== undefined && { runId: run }),
    ...(reason !== undefined && { reason }),
    ...(source !== undefined && { source }),
    ...(olderThan !== undefined && { olderThanMs: olderThan }),
  }
  const isFiltered = Object.keys(filter).length > 0
  if (ids.length > 0) {
    if (isFiltered || all || Number.isFinite(limit)) {
      throw new UsageError('Ids say which dead letters are meant: leave out filters, --all and --limit.')
    }
    return { ids: [...new Set(ids)] }
  }
  if (all && isFiltered) throw new UsageError('--all means all of them: leave out --all, or the filters.')
  if (mustSelect && !all && !isFiltered) {
    throw new UsageError(
      'Say which dead letters are meant: ids, --run, --reason, --source, --older-than, or --all for all of them.',
    )
  }
  return { filter, limit }
}

/** Finds the letters that are meant, and tells a person which are not there. */
export async function select(deadLetters: DeadLetters, selection: Selection): Promise<Selected> {
  if (selection.ids) {
    const found = await Promise.all(
      selection.ids.map(async (id) => ({ id, letter: (await deadLetters.find(id))?.data })),
    )
    const missing = found.filter(({ letter }) => letter === undefined).map(({ id }) => id)
    for (const id of missing) tell(`There is no dead letter ${id}.`)
    return { letters: found.flatMap(({ letter }) => letter ?? []), missing }
  }
  const letters: DeadLetter[] = []
  const nowMs = Date.now()
  for await (const { data } of deadLetters.list()) if (matches(data, selection.filter, nowMs)) letters.push(data)
  letters.sort((a, b) => Date.parse(b.deadLetteredAt) - Date.parse(a.deadLetteredAt))
  if (letters.length === 0) {
    tell(Object.keys(selection.filter).length > 0 ? 'No dead letter matches.' : 'There are no dead letters.')
  }
  return { letters: letters.slice(0, selection.limit), missing: [] }
}

function readAge(text: string): number {
  const age = parseAge(text)
  if (age === undefined) throw new InvalidArgumentError('It must be an age such as 45s, 30m, 2h or 7d.')
  return age
}

function readCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, at least 1.')
  return Number(text)
}
