/**
 * The benchmark: `npm run bench`. Prints the table; the full one also writes it to docs/, with a chart and JSON.
 *
 *   --quick           a smaller one, under a minute
 *   --only KEY,KEY    these rows alone; nothing is written
 *
 * It fails only where a row, tried twice, is below half of its target: something broke. Machines are too noisy for more.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { chart } from './chart.js'
import { around, writeJson, writeTable } from './document.js'
import { type Result, table } from './report.js'
import { EFFORTS, type Effort, progress, type Row } from './row.js'
import { ndjson } from './rows/http.js'
import { coldBatch, hotBatch, memoryFifty, memoryOnce, single, singleDebounced } from './rows/intake.js'
import { againstBareLoop, againstPlainWorker } from './rows/sending.js'
import { latency, patchCount, rateUse, wholeWay } from './rows/whole-way.js'
import { Stage } from './stage.js'

const ROWS: readonly Row[] = [
  hotBatch,
  single,
  singleDebounced,
  coldBatch,
  ndjson,
  againstPlainWorker,
  againstBareLoop,
  wholeWay,
  patchCount,
  rateUse,
  latency,
  memoryOnce,
  memoryFifty,
]
const BROKEN_BELOW = 0.5

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } } })
const effort = values.quick ? EFFORTS.quick : EFFORTS.full
const only = values.only?.split(',')
const rows = ROWS.filter(({ key, isQuick }) => (only ? only.includes(key) : isQuick || !values.quick))

const stage = await Stage.open()
const results: Result[] = []
for (const row of rows) {
  console.error(`measuring ${row.key} ...`)
  results.push(await measureTwice(row, stage, effort))
}
const foot = await around(stage)
await stage.close()

console.log(`\n${table(results)}\n\n${foot}`)
const broken = results.filter(({ row, finding }) => progress(row, finding.figure) < BROKEN_BELOW)
for (const { row } of broken) console.error(`${row.key} is below half of its target, twice: something broke`)
process.exitCode = broken.length > 0 ? 1 : 0
if (!values.quick && !only) await write()

async function measureTwice(row: Row, stage: Stage, effort: Effort): Promise<Result> {
  const finding = await row.measure(stage, effort)
  if (progress(row, finding.figure) >= BROKEN_BELOW) return { row, finding }
  return { row, finding: await row.measure(stage, effort) }
}

async function write(): Promise<void> {
  await writeTable('figures', results, foot)
  await writeFile('docs/benchmarks.svg', chart(results))
  await writeJson('docs/benchmarks.json', results, foot)
}
