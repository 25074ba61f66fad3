import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/errors.js'
import { ApiKey } from '../../../src/sift/api-key.js'

const SECRET = 'sk-very-secret'
let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'api-key-'))
  file = join(folder, 'key')
})
afterEach(() => rm(folder, { recursive: true }))

it('a key from a file is read without the white space around it', async () => {
  await writeFile(file, `\n${SECRET}\r\n`)
  expect((await ApiKey.fromFile(file)).authorization()).toBe(`Bearer ${SECRET}`)
})

it('a reload tells whether the key has changed', async () => {
  await writeFile(file, 'first')
  const key = await ApiKey.fromFile(file)
  expect(await key.reload()).toBe(false)
  await writeFile(file, 'second\n')
  expect(await key.reload()).toBe(true)
  expect(key.authorization()).toBe('Bearer second')
})

it('a reload that fails leaves the key as it was', async () => {
  await writeFile(file, 'first')
  const key = await ApiKey.fromFile(file)
  await writeFile(file, '')
  await expect(key.reload()).rejects.toThrow(ConfigurationError)
  await rm(file)
  await expect(key.reload()).rejects.toThrow(/cannot be read/)
  expect(key.authorization()).toBe('Bearer first')
})

it('a literal key never changes', async () => {
  expect(await ApiKey.literal(SECRET).reload()).toBe(false)
})

it.each(['', '  ', 'two words', 'line\r\nbreak', 'schlüssel', 'a\0b'])('%j is no key', (text) => {
  expect(() => ApiKey.literal(text)).toThrow(ConfigurationError)
})

it('what is wrong with a key is told without the key', () => {
  expect(() => ApiKey.literal(`${SECRET} x`)).toThrow(expect.not.stringContaining(SECRET))
})

it('the key shows up in no output', () => {
  const key = ApiKey.literal(SECRET)
  const outputs = [
    String(key),
    `${key}`,
    JSON.stringify({ key }),
    inspect(key, { showHidden: true, getters: true, depth: 9 }),
    inspect({ nested: { key } }, { customInspect: false, showHidden: true, depth: 9 }),
  ]
  for (const output of outputs) expect(output).not.toContain(SECRET)
})
