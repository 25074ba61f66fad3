/** The end of a demo, in words. Pure. */
import { styleText } from 'node:util'
import Table from 'cli-table3'
import type { Difference } from '../../run/oracle.js'
import { formatSpan, plural } from '../output.js'
import type { Figures } from './figures.js'
import type { Terminal } from './terminal.js'
import { count, ratio } from './wording.js'

/** More than this many differences say nothing new. */
const MOST_DIFFERENCES = 10

/** The table with its remarks beside the figures takes so much; in a narrower terminal they go below them. */
const WIDE = 64

/** A figure, and what is to be said of it. */
type Row = readonly [label: string, figure: string, remark: string]

export function reportText(figures: Figures, { columns, hasColors }: Terminal): string {
  const rows = columns < WIDE ? reportRows(figures).flatMap(inTwoColumns) : reportRows(figures).map((row) => [...row])
  const table = new Table({
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: hasColors ? ['gray'] : [] },
    colAligns: ['left', 'right', 'left'],
  })
  table.push(...rows)
  const headline = `${plural(figures.updates, 'update')} became ${plural(figures.patches, 'PATCH', 'PATCHes')}`
  const verdict = `${count(figures.differing)} of ${plural(figures.runs, 'run')} differ`
  if (!hasColors) return `${headline}\n${table}\n${verdict}`
  return `${styleText('bold', headline)}\n${table}\n${styleText(['bold', figures.differing === 0 ? 'green' : 'red'], verdict)}`
}

function reportRows(figures: Figures): Row[] {
  const { latencyMs, deadLetters } = figures
  return [
    ['updates taken in', count(figures.updates), `for ${plural(figures.runs, 'run')}`],
    ['PATCHes sent', count(figures.patches), `${ratio(figures.updates, figures.patches)} updates each`],
    ['at once for one run', count(figures.maxInFlightPerRun), 'PATCH in flight, at most'],
    ['enqueue to applied', latency(latencyMs.p50), `p50; p99 is ${latency(latencyMs.p99)}`],
    ['failed, sent again', count(figures.retries), reasons(figures.retriesByReason)],
    ['lane was held', count(figures.holds), reasons(figures.holdsByReason)],
    ['dead letters', count(deadLetters.total), reasons(deadLetters.byReason)],
  ]
}

function inTwoColumns([label, figure, remark]: Row): string[][] {
  const remarks = remark === '' ? [] : remark.split('\n')
  return [[label, figure], ...remarks.map((line) => [`  ${line}`, ''])]
}

/** Which field of which run, what it must be, and what it is. */
export function differencesText(differences: readonly Difference[]): string {
  const lines = differences.slice(0, MOST_DIFFERENCES).map(({ runId, path, allowed, actual }) => {
    const expected = allowed.map((value) => JSON.stringify(value)).join(' or ')
    return `${runId} ${path}: expected ${expected}, found ${JSON.stringify(actual)}`
  })
  const rest = differences.length - lines.length
  if (rest > 0) lines.push(`and ${plural(rest, 'more difference')}`)
  return lines.join('\n')
}

const latency = (ms: number | null): string => (ms === null ? '–' : formatSpan(ms))

function reasons(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, times]) => `${count(times)} ${reason}`)
    .join('\n')
}
