import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Run once by vitest, before the tests that start the built command. */
export default async function build(): Promise<void> {
  await promisify(execFile)('npm', ['run', '--silent', 'build'])
}
