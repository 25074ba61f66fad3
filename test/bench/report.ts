import { cpus } from 'node:os'
import type { Finding, Row } from './row.js'
import { progress } from './row.js'

export interface Result {
  readonly row: Row
  readonly finding: Finding
}

const AGREED = { 'at least': '', 'at most': 'at most ' } as const

/** The table, as Markdown. */
export function table(results: readonly Result[]): string {
  const lines = results.map(({ row, finding }) => {
    const { figure, spread, ours, peer } = finding
    const range = spread ? ` (${spread[0].toFixed(2)} to ${spread[1].toFixed(2)})` : ''
    const target = `${AGREED[row.goal]}${row.target} ${row.unit}`
    const isReached = progress(row, figure) >= 1 ? 'yes' : 'no'
    return `| ${row.measured} | ${row.against} | ${figure.toFixed(2)} ${row.unit}${range} | ${target} | ${isReached} | ${ours} | ${peer} |`
  })
  return [
    '| measured | against | median (spread) | to reach | reached | ours | the peer |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}

/** What is worth knowing of each row, as a list. */
export function notes(results: readonly Result[]): string {
  return results.map(({ row }) => `- \`${row.key}\`: ${row.note}`).join('\n')
}

/** The machine and the versions that the figures are from. */
export function circumstances(redisVersion: string, bullmqVersion: string): string {
  const [cpu] = cpus()
  return `${cpus().length} x ${cpu?.model ?? 'unknown'}, ${process.platform}; Node ${process.version}, Redis ${redisVersion}, BullMQ ${bullmqVersion}`
}
