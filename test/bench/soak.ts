/**
 * A worker under full load for long: `npm run bench:soak`. Prints a line a minute, then the table, and writes it to docs/.
 *
 *   --minutes N       so many instead of ten; a shorter one than that is not written
 */
import { parseArgs } from 'node:util'
import { around, writeTable } from './document.js'
import { table } from './report.js'
import { EFFORTS } from './row.js'
import { endurance } from './rows/endurance.js'
import { Stage } from './stage.js'

const LONG_ENOUGH = 10

const { values } = parseArgs({ options: { minutes: { type: 'string', default: String(LONG_ENOUGH) } } })
const minutes = Number(values.minutes)
if (!(Number.isInteger(minutes) && minutes >= 2)) {
  throw new RangeError(`--minutes must be a whole number from 2, not ${values.minutes}`)
}

const stage = await Stage.open()
try {
  const row = endurance(minutes)
  const results = [{ row, finding: await row.measure(stage, EFFORTS.full) }]
  const foot = await around(stage)
  console.log(`\n${table(results)}\n\n${foot}`)
  if (minutes >= LONG_ENOUGH) await writeTable('figures of soak', results, foot)
} finally {
  await stage.close()
}
