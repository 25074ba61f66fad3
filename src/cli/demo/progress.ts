/** The demo while it runs: a block for a terminal of any width, or one line for a pipe. Pure. */
import { stripVTControlCharacters, styleText } from 'node:util'
import { formatSpan, plural } from '../output.js'
import type { Terminal } from './terminal.js'
import { count, ratio } from './wording.js'

export interface Snapshot {
  readonly phase: 'sending' | 'draining'
  readonly elapsedMs: number
  readonly durationMs: number
  readonly updates: number
  readonly patches: number
  /** Over the last moments. */
  readonly updatesPerSecond: number
  readonly patchesPerSecond: number
  readonly pendingRuns: number
  readonly runs: number
  readonly failed: number
  readonly holds: number
  readonly deadLetters: number
  /** `open`, or why the lane is held, and for how long. */
  readonly lane: { readonly reason: string | null; readonly remainingMs: number | null }
  readonly weather: string
}

type Style = Parameters<typeof styleText>[0]
type Paint = (style: Style, text: string) => string

const INDENT = '  '
const LABEL_WIDTH = 14
const FIGURE_WIDTH = 10
const RATE_WIDTH = 10
/** From here on there is room for bars and for two things on a line. */
const WIDE = 64
const WIDEST_BAR = 44
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/** The lines of the block; none is wider than the terminal, so that each takes one row. */
export function progressBlock(shot: Snapshot, { columns, hasColors }: Terminal): string[] {
  const paint: Paint = (style, text) => (hasColors && text !== '' ? styleText(style, text) : text)
  const isWide = columns >= WIDE
  const barWidth = Math.min(WIDEST_BAR, columns - INDENT.length - LABEL_WIDTH - FIGURE_WIDTH - RATE_WIDTH - 3)
  const flow = (label: string, figure: number, perSecond: number, style: Style): string => {
    const numbers = `${count(figure).padStart(FIGURE_WIDTH)}${`${count(perSecond)}/s`.padStart(RATE_WIDTH)}`
    const drawn = isWide ? `  ${paint(style, bar(figure, shot.updates, barWidth))}` : ''
    return `${label.padEnd(LABEL_WIDTH)}${paint('bold', numbers.slice(0, FIGURE_WIDTH))}${paint('dim', numbers.slice(FIGURE_WIDTH))}${drawn}`
  }
  const pairs = [
    ['pending runs', `${count(shot.pendingRuns)} of ${count(shot.runs)}`],
    ['sent again', count(shot.failed)],
    ['holds', count(shot.holds)],
    ['dead letters', count(shot.deadLetters)],
    ['lane', laneText(shot, paint)],
    ['Sift', shot.weather],
  ].map(([label = '', text = '']) => `${paint('dim', label.padEnd(LABEL_WIDTH))}${text}`)
  const lines = [
    timeLine(shot, columns, paint),
    '',
    flow('updates in', shot.updates, shot.updatesPerSecond, 'cyan'),
    flow('PATCHes out', shot.patches, shot.patchesPerSecond, 'green'),
    `${'updates/PATCH'.padEnd(LABEL_WIDTH)}${paint('bold', ratio(shot.updates, shot.patches).padStart(FIGURE_WIDTH))}`,
    '',
    ...(isWide ? inTwoColumns(pairs, Math.floor((columns - INDENT.length) / 2)) : pairs),
  ]
  return lines.map((line) => cut(`${INDENT}${line}`, columns))
}

/** One line for a log. */
export function progressLine(shot: Snapshot): string {
  const { lane } = shot
  return [
    `${Math.round(shot.elapsedMs / 1_000)} s: ${count(shot.updates)} updates in`,
    `${count(shot.patches)} PATCHes out (${ratio(shot.updates, shot.patches)} updates each)`,
    `${plural(shot.pendingRuns, 'run')} pending`,
    `${count(shot.failed)} sent again`,
    plural(shot.holds, 'hold'),
    plural(shot.deadLetters, 'dead letter'),
    `lane ${lane.reason === null ? 'open' : `held (${lane.reason})`}`,
    shot.phase,
  ].join(', ')
}

function timeLine({ phase, elapsedMs, durationMs }: Snapshot, columns: number, paint: Paint): string {
  if (phase === 'draining') {
    return `${paint('bold', 'draining')}  ${paint('dim', 'no more updates; what is pending is being sent')}`
  }
  const clock = `${Math.floor(elapsedMs / 1_000)} of ${Math.round(durationMs / 1_000)} s`
  const width = Math.max(8, Math.min(WIDEST_BAR, columns - INDENT.length - clock.length - 4))
  const done = Math.round(Math.min(1, elapsedMs / durationMs) * width)
  return `${paint('cyan', '━'.repeat(done))}${paint('dim', '─'.repeat(width - done))}  ${clock}`
}

function laneText({ lane }: Snapshot, paint: Paint): string {
  if (lane.reason === null) return paint('green', 'open')
  const rest =
    lane.remainingMs === null ? '' : lane.remainingMs > 0 ? `, ${formatSpan(lane.remainingMs)} left` : ', probing'
  return paint('yellow', `held: ${lane.reason}${rest}`)
}

/** To an eighth of a character: what is small beside the largest must still be seen to grow. */
function bar(value: number, largest: number, width: number): string {
  const eighths = largest === 0 ? 0 : Math.round((value / largest) * width * 8)
  const drawn = value > 0 ? Math.max(1, eighths) : 0
  return '█'.repeat(Math.floor(drawn / 8)) + (EIGHTHS[drawn % 8] ?? '')
}

function inTwoColumns(cells: readonly string[], width: number): string[] {
  const lines: string[] = []
  for (let index = 0; index < cells.length; index += 2) {
    const [left = '', right = ''] = cells.slice(index, index + 2)
    const space = Math.max(2, width - stripVTControlCharacters(left).length)
    lines.push(`${left}${' '.repeat(space)}${right}`.trimEnd())
  }
  return lines
}

function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line)
  return plain.length < columns ? line : plain.slice(0, Math.max(0, columns - 1))
}
