import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCommand, runInShell, startCommand } from './command.js'

const COMMANDS = [
  [],
  ['check'],
  ['enqueue'],
  ['worker'],
  ['status'],
  ['lane'],
  ['lane', 'hold'],
  ['lane', 'open'],
  ['run'],
  ['flush'],
  ['simulator'],
]

test.each(COMMANDS)('%s %s tells its use with --help, and the exit codes', async (...command) => {
  const { code, stdout, stderr } = await runCommand([...command, '--help'])
  expect(stdout).toContain(`Usage: sift-run-updater${[...command].map((word) => ` ${word}`).join('')}`)
  expect(stdout).toContain('Exit codes')
  expect(stderr).toBe('')
  expect(code).toBe(0)
})

test.each([
  ['an unknown command', ['wrong']],
  ['an unknown option', ['status', '--wrong']],
  ['a missing argument', ['run']],
  ['a missing option', ['lane', 'hold']],
  ['neither a run nor --all', ['flush']],
  ['both a run and --all', ['flush', 'r1', '--all']],
  ['a run id that no run can have', ['run', 'a:b']],
  ['flushing a run id that no run can have', ['flush', 'a b:c']],
  ['a hold without a reason', ['lane', 'hold', '--why', ' ']],
  ['a reason that no dead letter has', ['lane', 'open', '--accept', 'foo']],
  ['a queue name of another lane', ['status', '--queue-name', 'run-updates-dead-letters']],
  ['a port that is none', ['simulator', '--port', '99999']],
  ['a share above one', ['simulator', '--error-rate', '1.5']],
  ['--timeout without --drain', ['worker', '--timeout', '5']],
])('%s ends with 2, one sentence and no stack', async (_what, args) => {
  const { code, stdout, stderr } = await runCommand(args)
  expect(stderr).toMatch(/^error: /)
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(stdout).toBe('')
  expect(code).toBe(2)
})

test('every wrong variable is in one message', async () => {
  const env = {
    REDIS_URL: 'http://:secret-word@nowhere',
    SIFT_REST_URL: 'ftp://sift',
    SIFT_API_KEY: 'secret key',
    SIFT_API_KEY_FILE: '/nowhere/key',
    CONCURRENCY: '0',
    LOCK_DURATION_MS: '999',
    RATE_LIMIT_MAX: '1.5',
    LOG_LEVEL: 'loud',
  }
  const { code, stderr } = await runCommand(['worker'], { env })
  for (const variable of Object.keys(env)) expect(stderr).toContain(variable)
  expect(stderr).toContain('SIFT_API_KEY and SIFT_API_KEY_FILE are both set')
  expect(stderr).not.toContain('secret')
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(code).toBe(2)
})

test('a password that cannot be decoded ends with 2, and is not shown', async () => {
  const { code, stderr } = await runCommand(['status'], { env: { REDIS_URL: 'redis://:secret%zz@127.0.0.1:1' } })
  expect(stderr).toMatch(/^error: REDIS_URL has a user or password with a %.*\n$/)
  expect(stderr).not.toContain('secret')
  expect(code).toBe(2)
})

test('an option wins over its variable, and is named in the message', async () => {
  const env = { REDIS_URL: 'redis://127.0.0.1:1', QUEUE_NAME: 'fine' }
  const { code, stderr } = await runCommand(['status', '--queue-name', 'a:b'], { env })
  expect(stderr).toMatch(/^error: --queue-name is "a:b"; it must be/)
  expect(code).toBe(2)
})

test('a worker without an API key does not start', async () => {
  const { code, stderr } = await runCommand(['worker'], { env: { REDIS_URL: 'redis://127.0.0.1:1' } })
  expect(stderr).toBe('error: SIFT_API_KEY is not set; set it, or SIFT_API_KEY_FILE\n')
  expect(code).toBe(2)
})

test('a .env file of the working directory is read', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sift-run-updater-env-'))
  try {
    await writeFile(join(dir, '.env'), 'CONCURRENCY=none\nQUEUE_NAME=from-file\n')
    const { code, stderr } = await runCommand(['worker'], { cwd: dir, env: { SIFT_API_KEY: 'k', QUEUE_NAME: '' } })
    expect(stderr).toContain('CONCURRENCY is "none"')
    expect(code).toBe(2)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test.each([
  ['status'],
  ['run', 'r1'],
  ['flush', 'r1'],
  ['flush', '--all'],
  ['lane', 'open'],
  ['lane', 'hold', '--why', 'x'],
])('%s %s %s ends with 3 where Redis is away', async (...args) => {
  const env = { REDIS_URL: 'redis://:secret-word@127.0.0.1:1' }
  const { code, stdout, stderr } = await runCommand(
    args.filter((arg) => arg !== undefined),
    { env },
  )
  expect(stderr).toMatch(/^error: Redis at redis:\/\/127.0.0.1:1 can't be reached \(connect ECONNREFUSED/)
  expect(stderr).not.toContain('secret-word')
  expect(stdout).toBe('')
  expect(code).toBe(3)
})

test('the reasons that can be accepted are named', async () => {
  const { stderr } = await runCommand(['lane', 'open', '--accept', 'foo'])
  expect(stderr).toMatch(/must be one of .*run_not_found.*attempts_exhausted/)
})

test.skipIf(!existsSync('/dev/full'))('a full disk under standard output is told in one line', async () => {
  const { code, stderr } = await runInShell('"$0" "$1" --help > /dev/full')
  expect(stderr).toBe("error: standard output can't be written: ENOSPC: no space left on device, write\n")
  expect(code).toBe(1)
})

test('a reader that leaves early is no error', async () => {
  const command = startCommand(['worker', '--help'])
  command.process.stdout.destroy()
  const { stderr } = await command.ended
  expect(stderr).toBe('')
})
