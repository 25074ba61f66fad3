// npm run test:soak -- --seed N --minutes M: the soak alone, for as long as asked. The same seed draws the same updates
// and the same troubles; how they interleave is the machine's affair.
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { seed: { type: 'string' }, minutes: { type: 'string', default: '10' } } })
for (const [name, value] of Object.entries(values)) {
  if (value !== undefined && !(Number(value) > 0))
    throw new RangeError(`--${name} must be a number above 0, not ${value}`)
}
const child = spawn('npx', ['vitest', 'run', '--project', 'faults', 'test/faults/soak.test.ts'], {
  stdio: 'inherit',
  env: { ...process.env, SOAK_MINUTES: values.minutes, ...(values.seed !== undefined && { SOAK_SEED: values.seed }) },
})
child.on('exit', (code) => process.exit(code ?? 1))
