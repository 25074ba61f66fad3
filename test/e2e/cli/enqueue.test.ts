import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type Env, HAS_TERMINAL, onTerminal, runCommand, startCommand, updateLine } from './command.js'

let redis: TestRedis
let env: Env
let dir: string

beforeAll(async () => {
  redis = await startTestRedis()
  env = { REDIS_URL: redis.url, COALESCE_WINDOW_MS: '60000' }
  dir = await mkdtemp(join(tmpdir(), 'sift-run-updater-enqueue-'))
})
afterAll(async () => {
  await redis.close()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  await redis.client().flushall()
})

test('takes in every line of standard input and tells how many', async () => {
  const input = updateLine('a', { name: 'x' }) + updateLine('b', { name: 'y' })
  const { code, stdout, stderr } = await runCommand(['enqueue', '--json'], { env, input })
  expect(JSON.parse(stdout)).toEqual({ read: 2, accepted: 2, stale: 0, conflicts: 0, rejected: 0 })
  expect(stderr).toBe('')
  expect(code).toBe(0)
})

test('names a refused line by its number in the file, blank lines counted, and goes on behind it', async () => {
  const input = `${updateLine('a', { name: 'x' })}\n  \nnot json\n${updateLine('b', { wrong: 1 })}${updateLine('c', { name: 'z' })}`
  const { code, stdout, stderr } = await runCommand(['enqueue', '--json', '-'], { env, input })
  expect(JSON.parse(stdout)).toEqual({ read: 4, accepted: 2, stale: 0, conflicts: 0, rejected: 2 })
  const refused = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(refused).toEqual([
    { line: 4, error: { code: 'invalid_json', path: '', message: expect.any(String) } },
    { line: 5, error: { code: 'unknown_field', path: 'run.wrong', message: expect.any(String) } },
  ])
  expect(code).toBe(1)
})

test.skipIf(!existsSync('/dev/full'))('a full disk under --rejects is told as that', async () => {
  const { code, stderr } = await runCommand(['enqueue', '--rejects', '/dev/full'], { env, input: '{}\n' })
  expect(stderr).toBe(
    "error: /dev/full, the file of --rejects, can't be written: ENOSPC: no space left on device, write\n",
  )
  expect(code).toBe(1)
})

test('writes refused lines to the file of --rejects, and nothing to standard error', async () => {
  const rejects = join(dir, 'rejects.ndjson')
  const { code, stderr } = await runCommand(['enqueue', '--rejects', rejects], { env, input: '{}\n' })
  expect(JSON.parse(await readFile(rejects, 'utf8'))).toMatchObject({ line: 1, error: { code: 'missing_run' } })
  expect(stderr).toBe('')
  expect(code).toBe(1)
})

test('refuses an update over 64 KiB, and a line of many megabytes, without stumbling over what follows', async () => {
  const input =
    updateLine('a', { description: 'x'.repeat(64 * 1024) }) +
    updateLine('b', { description: 'x'.repeat(20_000_000) }) +
    updateLine('c', { name: 'ok' })
  const { code, stdout, stderr } = await runCommand(['enqueue', '--json'], { env, input })
  expect(JSON.parse(stdout)).toMatchObject({ read: 3, accepted: 1, rejected: 2 })
  const codes = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).error.code)
  expect(codes).toEqual(['too_large', 'too_large'])
  expect(code).toBe(1)
})

test('refuses a line that is not UTF-8 instead of sending other characters', async () => {
  const input = Buffer.concat([Buffer.from('{"run":{"runId":"a","name":"'), Buffer.from([0xff]), Buffer.from('"}}\n')])
  const { code, stderr } = await runCommand(['enqueue'], { env, input })
  expect(JSON.parse(stderr)).toMatchObject({ line: 1, error: { code: 'invalid_json' } })
  expect(code).toBe(1)
})

test('reads a file of Windows lines that begins with a byte order mark and ends without a line end', async () => {
  const file = join(dir, 'windows.ndjson')
  const lines = [updateLine('a', { name: 'x' }), updateLine('b', { name: 'y' })].map((line) => line.trim())
  await writeFile(file, `\ufeff${lines.join('\r\n')}`)
  const { code, stdout } = await runCommand(['enqueue', file], { env })
  expect(stdout).toBe('2 updates read: 2 accepted, 0 stale, 0 conflicts, 0 rejected\n')
  expect(code).toBe(0)
})

test('counts stale updates and client key conflicts apart, and neither is a failure', async () => {
  const at = (observedAt: string, name: string) => `${JSON.stringify({ run: { runId: 'a', name }, observedAt })}\n`
  const input =
    at('2026-03-01T10:00:01Z', 'new') +
    at('2026-03-01T10:00:00Z', 'old') +
    updateLine('b', { clientKey: 'one' }) +
    updateLine('b', { clientKey: 'two' })
  const { code, stdout } = await runCommand(['enqueue', '--json'], { env, input })
  expect(JSON.parse(stdout)).toEqual({ read: 4, accepted: 2, stale: 1, conflicts: 1, rejected: 0 })
  expect(code).toBe(0)
})

test('takes in a live line at once, while standard input stays open', async () => {
  const command = startCommand(['enqueue', '--json'], env)
  command.process.stdin.write(updateLine('live', { name: 'x' }))
  const client = redis.client()
  await expect.poll(() => client.zcard('{sift}:run-updates.pending'), { timeout: 10_000 }).toBe(1)
  command.process.stdin.end()
  expect((await command.ended).code).toBe(0)
})

test('tells within a few seconds that there is no Redis, and still what it knows', async () => {
  const input = updateLine('a', { name: 'x' })
  const { code, stdout, stderr } = await runCommand(['enqueue', '--json'], {
    env: { REDIS_URL: 'redis://127.0.0.1:1' },
    input,
  })
  expect(JSON.parse(stdout)).toEqual({ read: 0, accepted: 0, stale: 0, conflicts: 0, rejected: 0 })
  expect(stderr).toContain('sending it again is safe')
  expect(code).toBe(3)
})

test('ends with the summary of what is known where Redis stops answering midway', async () => {
  const command = startCommand(['enqueue', '--json'], env)
  command.process.stdin.write(updateLine('a', { name: 'x' }))
  const client = redis.client()
  // Its job is there, so the merge was answered: a look at the merge alone may come before that answer has left Redis.
  await expect.poll(() => client.zcard('{sift}:run-updates:delayed'), { timeout: 10_000 }).toBe(1)
  redis.freeze()
  try {
    command.process.stdin.write(updateLine('b', { name: 'y' }))
    const { code, stdout, stderr } = await command.ended
    expect(JSON.parse(stdout)).toEqual({ read: 1, accepted: 1, stale: 0, conflicts: 0, rejected: 0 })
    expect(stderr).toContain('sending it again is safe')
    expect(code).toBe(3)
  } finally {
    redis.thaw()
  }
})

test('names a file that is not there, without a stack', async () => {
  const { code, stderr } = await runCommand(['enqueue', '/nowhere/updates.ndjson'], { env })
  expect(stderr).toMatch(/^error: \/nowhere\/updates.ndjson can't be opened: ENOENT.*\n$/)
  expect(code).toBe(2)
})

test('never empties its own input for --rejects, whatever name it has', async () => {
  const file = join(dir, 'same.ndjson')
  await writeFile(file, updateLine('a', { name: 'x' }))
  await symlink(file, join(dir, 'alias.ndjson'))
  const { code, stderr } = await runCommand(['enqueue', '--rejects', join(dir, 'alias.ndjson'), file], { env })
  expect(stderr).toContain('is the input')
  expect(code).toBe(2)
  expect(await readFile(file, 'utf8')).toBe(updateLine('a', { name: 'x' }))
})

test('what an earlier run has refused stays where Redis is away, and goes where nothing is refused', async () => {
  const rejects = join(dir, 'kept.ndjson')
  await writeFile(rejects, 'kept')
  const input = updateLine('a', { name: 'x' })
  const away = await runCommand(['enqueue', '--rejects', rejects], {
    env: { ...env, REDIS_URL: 'redis://127.0.0.1:1' },
    input,
  })
  expect(away.code).toBe(3)
  expect(await readFile(rejects, 'utf8')).toBe('kept')
  expect((await runCommand(['enqueue', '--rejects', rejects], { env, input })).code).toBe(0)
  expect(await readFile(rejects, 'utf8')).toBe('')
})

test.skipIf(!HAS_TERMINAL)('on a terminal refused lines stay whole, above the bar', async () => {
  const file = join(dir, 'mixed.ndjson')
  const refused = Array.from({ length: 12 }, (_, index) => `{"run":{"runId":"r${index}","wrong":1}}\n`)
  await writeFile(file, [...refused, updateLine('a', { name: 'x' })].join(''))
  const { screen } = await onTerminal(['enqueue', file], env)
  // What would have to be switched back after Ctrl-C: line wrap and the cursor.
  for (const off of ['[?7l', '[?25l']) expect(screen).not.toContain(off)
  for (const line of refused.keys()) expect(screen).toContain(`{"line":${line + 1},"error":{"code":"unknown_field"`)
  const lines = screen.trim().split('\r\n')
  expect(lines.filter((line) => line.includes('"code":"unknown_field"') && line.endsWith('}'))).toHaveLength(12)
  expect(lines.at(-1)).toContain('13 updates read: 1 accepted, 0 stale, 0 conflicts, 12 rejected')
})
