import Table from 'cli-table3'
import type { DeadLetter } from '../../dead-letters/dead-letter.js'
import { formatSpan } from '../output.js'
import { oneLine } from './one-line.js'

const HEAD = ['ID', 'FIELDS', 'REASON', 'AGE', 'MESSAGE'] as const

/** Which columns are cut where the terminal is narrow, first to last, and to what at least. Ids are for copying. */
const CUT = [
  { column: HEAD.indexOf('MESSAGE'), leastWidth: 12 },
  { column: HEAD.indexOf('FIELDS'), leastWidth: 8 },
  { column: HEAD.indexOf('REASON'), leastWidth: 8 },
] as const

const GAP = 2
/** No lines around cells: they would be copied along with the ids. */
const BLANK = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
}

/**
 * Dead letters as a table, one line each.
 * @param width Columns of the terminal; infinite: nothing is cut.
 */
export function renderLetters(letters: readonly DeadLetter[], width: number, nowMs: number): string {
  const rows = letters.map(({ id, updateMask, reason, message, deadLetteredAt }) => [
    id,
    oneLine(updateMask),
    oneLine(reason),
    formatSpan(Math.max(0, nowMs - Date.parse(deadLetteredAt))),
    oneLine(message),
  ])
  const all = [[...HEAD], ...rows]
  // Too narrow even when all is cut: the message is left to `show`.
  const isTooNarrow = totalWidth(columnWidths(all, width)) > width
  const [head = [], ...body] = isTooNarrow ? all.map((row) => row.slice(0, -1)) : all
  const table = new Table({
    head,
    colWidths: columnWidths([head, ...body], width),
    chars: BLANK,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
  })
  table.push(...body)
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

function columnWidths(rows: readonly (readonly string[])[], width: number): number[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, text] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length + GAP)
  }
  for (const { column, leastWidth } of CUT) {
    const present = widths[column]
    const excess = totalWidth(widths) - width
    if (present === undefined || excess <= 0) continue
    widths[column] = Math.min(present, Math.max(present - excess, leastWidth + GAP))
  }
  return widths
}

/** The gap after the last column is cut off. */
function totalWidth(widths: readonly number[]): number {
  return widths.reduce((total, each) => total + each, -GAP)
}
