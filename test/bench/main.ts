/**
 * The benchmark: `npm run bench`, with `--quick` and `--only KEY,KEY`. Prints the table. It fails only where a row,
 * tried twice, is below half of its target: something broke. Machines are too noisy for more.
 */
import { parseArgs } from 'node:util'
import { EFFORTS, type Finding, progress, type Row } from './row.js'
import { coldBatch, hotBatch, memoryFifty, memoryOnce, single, singleDebounced } from './rows/intake.js'
import { againstBareLoop, againstPlainWorker } from './rows/sending.js'
import { Stage } from './stage.js'

const ROWS: readonly Row[] = [
  hotBatch,
  single,
  singleDebounced,
  coldBatch,
  againstPlainWorker,
  againstBareLoop,
  memoryOnce,
  memoryFifty,
]

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } } })
const effort = values.quick ? EFFORTS.quick : EFFORTS.full
const only = values.only?.split(',')

const stage = await Stage.open()
for (const row of ROWS) {
  if (only && !only.includes(row.key)) continue
  let finding: Finding = await row.measure(stage, effort)
  if (progress(row, finding.figure) < 0.5) finding = await row.measure(stage, effort)
  if (progress(row, finding.figure) < 0.5) process.exitCode = 1
  const [least, most] = finding.spread ?? []
  const spread = least === undefined || most === undefined ? '' : ` (${least.toFixed(2)} to ${most.toFixed(2)})`
  console.log(
    `${row.key.padEnd(18)} ${finding.figure.toFixed(3)}${spread} of ${row.target}; ours ${finding.ours}, peer ${finding.peer}`,
  )
}
await stage.close()
