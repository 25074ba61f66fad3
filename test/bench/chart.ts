import type { Result } from './report.js'
import { progress } from './row.js'

const WIDTH = 860
const LABEL_WIDTH = 330
const ROW_HEIGHT = 26
/** Bars end here: what is twice its target need not be told from what is more. */
const LONGEST = 2

/** A bar a row: how far each figure has come, its target being the line in the middle. */
export function chart(results: readonly Result[]): string {
  const height = results.length * ROW_HEIGHT + 40
  const unit = (WIDTH - LABEL_WIDTH - 90) / LONGEST
  const targetX = LABEL_WIDTH + unit
  const bars = results.map(({ row, finding }, index) => {
    const y = 30 + index * ROW_HEIGHT
    const share = progress(row, finding.figure)
    const width = Math.max(1, Math.min(share, LONGEST) * unit)
    const color = share >= 1 ? '#2f7d4f' : '#b5651d'
    const label = `${row.key}: ${finding.figure.toFixed(2)} ${row.unit}`
    return [
      `<text x="${LABEL_WIDTH - 10}" y="${y + 13}" text-anchor="end">${label}</text>`,
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="18" fill="${color}"/>`,
      `<text x="${(LABEL_WIDTH + width + 6).toFixed(1)}" y="${y + 13}">${Math.round(share * 100)} %</text>`,
    ].join('')
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    '<title>How far each row has come towards its target</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="${targetX}" y="18" text-anchor="middle">target</text>`,
    ...bars,
    `<line x1="${targetX}" y1="24" x2="${targetX}" y2="${height - 8}" stroke="#333333" stroke-dasharray="4 3"/>`,
    '</svg>',
    '',
  ].join('\n')
}
