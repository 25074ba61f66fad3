/**
 * Cost as work grows: `npm run bench:scale`. Some minutes; prints the table and writes it to docs/.
 *
 *   --runs N          so many pending runs instead of a million, or of what fits in half of the free memory
 *   --only KEY,KEY    these rows alone; nothing is written
 */
import { freemem } from 'node:os'
import { parseArgs } from 'node:util'
import { around, writeTable } from './document.js'
import { type Result, table } from './report.js'
import { EFFORTS } from './row.js'
import { enqueueInCrowd, flushInCrowd } from './rows/crowd.js'
import { heldRows } from './rows/held.js'
import { Stage } from './stage.js'

/** Of Redis, for a pending run and its job. */
const BYTES_A_RUN = 2_000

const { values } = parseArgs({ options: { runs: { type: 'string', default: '1000000' }, only: { type: 'string' } } })
const fitting = Math.floor(freemem() / 2 / BYTES_A_RUN)
const runs = Math.min(Number(values.runs), fitting)
if (!(runs > 0)) throw new RangeError(`--runs must be a number above 0, not ${values.runs}`)
console.error(`${runs} pending runs; ${fitting} would fit in half of the free memory`)

const only = values.only?.split(',')
const rows = [enqueueInCrowd(runs), flushInCrowd(runs), ...heldRows()].filter(({ key }) => only?.includes(key) ?? true)
const stage = await Stage.open()
try {
  const results: Result[] = []
  for (const row of rows) {
    console.error(`measuring ${row.key} ...`)
    results.push({ row, finding: await row.measure(stage, EFFORTS.full) })
  }
  const foot = await around(stage)
  console.log(`\n${table(results)}\n\n${foot}`)
  if (!only) await writeTable('figures of scale', results, foot)
} finally {
  await stage.close()
}
