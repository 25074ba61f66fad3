import { invalidArgument } from './status.js'
import type { StoredRun } from './stored-run.js'

const DEFAULT_PAGE_SIZE = 50
const MAX_PAGE_SIZE = 1000

/** `field == 'text'`, in either kind of quotes: the part of CEL that is understood here. */
const EQUALITY = /^\s*(client_key|run_id)\s*==\s*(?:'((?:[^'\\]|\\['"\\])*)'|"((?:[^"\\]|\\['"\\])*)")\s*$/

const FILTERED_FIELD = { client_key: 'clientKey', run_id: 'runId' } as const

export interface RunPage {
  readonly runs: readonly StoredRun[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

/**
 * One page of the runs in the order of their creation, archived ones left out. A token is the place of the next run
 * among all runs, the archived too, so that archiving one meanwhile makes no page skip another.
 *
 * Throws `StatusError` (code 3) for a filter, size or token that it can't read.
 */
export function listRuns(runs: ReadonlyMap<string, StoredRun>, query: URLSearchParams): RunPage {
  const matches = readFilter(query.get('filter') ?? '')
  const pageSize = Math.min(readCount('pageSize', query) || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
  const start = readCount('pageToken', query)
  const page: StoredRun[] = []
  let place = 0
  for (const run of runs.values()) {
    const isWanted = place >= start && !run.isArchived && matches(run)
    if (isWanted && page.length === pageSize) return { runs: page, nextPageToken: String(place) }
    if (isWanted) page.push(run)
    place += 1
  }
  return { runs: page, nextPageToken: '' }
}

function readFilter(filter: string): (run: StoredRun) => boolean {
  if (filter === '') return () => true
  const [, field, singleQuoted, doubleQuoted] = EQUALITY.exec(filter) ?? []
  if (field !== 'client_key' && field !== 'run_id') throw invalidArgument(`invalid filter: ${filter}`)
  const wanted = (singleQuoted ?? doubleQuoted ?? '').replace(/\\(.)/g, '$1')
  return (run) => run[FILTERED_FIELD[field]] === wanted
}

/** A whole number, 0 where it is absent. */
function readCount(name: string, query: URLSearchParams): number {
  const text = query.get(name) ?? ''
  if (!/^\d{0,9}$/.test(text)) throw invalidArgument(`invalid ${name}: ${text}`)
  return Number(text)
}
