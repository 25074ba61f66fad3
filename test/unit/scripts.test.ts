import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SCRIPTS as DEAD_LETTERS } from '../../src/dead-letters/scripts.js'
import { SCRIPTS as PENDING } from '../../src/pending/scripts.js'
import { SCRIPTS as REDIS } from '../../src/redis/mending-queue.js'
import type { Script } from '../../src/redis/script.js'
import { SCRIPTS as THROTTLE } from '../../src/throttle/scripts.js'

const FOLDERS = ['pending', 'throttle', 'dead-letters', 'redis'].map(
  (name) => new URL(`../../src/${name}/`, import.meta.url),
)
const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.lua'))
    .map((name) => ({ name, source: readFileSync(new URL(name, folder), 'utf8') })),
)
const SCRIPTS: readonly { name: string; script: Script<string, string> }[] = Object.entries({
  ...PENDING,
  ...THROTTLE,
  ...DEAD_LETTERS,
  ...REDIS,
}).map(([name, script]) => ({ name, script }))

describe.each(SCRIPTS)('the script $name', ({ name, script }) => {
  const source = readFileSync(script.file, 'utf8')
  const body = source.replace(/^--.*\n/gm, '').trimStart()
  const head = body.slice(0, body.indexOf('\n\n'))

  test('is called by its name', () => {
    expect(basename(script.file.pathname)).toBe(`${name}.lua`)
    expect(source.startsWith(`-- ${name}: `)).toBe(true)
  })

  test('documents the keys and arguments that its caller gives, in order', () => {
    expect(documented(source, 'KEYS')).toEqual(script.keys)
    expect(documented(source, 'ARGV')).toEqual(script.args)
  })

  test('tells what it returns', () => {
    expect(source).toMatch(/^-- Returns /m)
  })

  test('names each of them in its first lines, and nowhere below goes by a bare index', () => {
    const named = namesGiven(head)
    expect(script.keys.map((_key, index) => named.get(`KEYS[${index + 1}]`))).toEqual(
      script.keys.map((key) => (key.endsWith('Prefix') ? key : `${key}Key`)),
    )
    expect(script.args.map((_arg, index) => named.get(`ARGV[${index + 1}]`))).toEqual(script.args)
    expect(body.slice(head.length)).not.toMatch(/(KEYS|ARGV)\[\d+\]/)
  })

  test('uses each of them', () => {
    const names = [...namesGiven(head).values()]
    expect(names.filter((named) => (body.match(new RegExp(`\\b${named}\\b`, 'g')) ?? []).length < 2)).toEqual([])
  })

  test('was given all its included files', () => {
    expect(script.source).not.toContain('-- @include')
  })
})

test('each Lua file is a script with a typed caller, or included in one', () => {
  const included = FILES.flatMap(({ source }) =>
    [...source.matchAll(/^-- @include (?:\S*\/)?(\S+)$/gm)].map(([, name]) => name),
  )
  const known = new Set([...SCRIPTS.map(({ name }) => `${name}.lua`), ...included])
  expect(FILES.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([])
})

// All keys of a lane come from one function, and a Redis Cluster runs no script that touches another slot.
test.each(FILES)(
  '$name sends each command to a key that was handed in, or to that of a run under a prefix that was',
  ({ source }) => {
    for (const [call, command, first] of source.matchAll(/redis\.p?call\('(\w+)'(?:, ([^,)]+))?/g)) {
      if (command === 'TIME') continue
      if (command === 'PUBLISH') expect(first, call).toBe('channel')
      else expect(first, call).toMatch(/^[a-z]+Key$/)
    }
    // What ends in Key was handed in: by KEYS in a script's first lines, or as a parameter.
    expect(source).not.toMatch(/\w+Key\b(?:, \w+)* = (?!KEYS\[|\w+Prefix \.\. runId\b)/)
  },
)

function documented(source: string, kind: 'KEYS' | 'ARGV'): string[] {
  const lines = [...source.matchAll(new RegExp(`^-- ${kind}\\[(\\d+)\\] (\\w+)`, 'gm'))]
  expect(lines.map(([, index]) => Number(index))).toEqual(lines.map((_line, index) => index + 1))
  return lines.map(([, , name]) => name ?? '')
}

/** From `local a, b = KEYS[1], tonumber(ARGV[2])`: which name each of them was given. */
function namesGiven(head: string): Map<string, string> {
  const named = new Map<string, string>()
  for (const [, names = '', values = ''] of head.matchAll(/^local ([\w, ]+) = (.*)$/gm)) {
    const given = values.match(/(?:KEYS|ARGV)\[\d+\]/g) ?? []
    const list = names.split(', ')
    if (given.length !== list.length) continue
    for (const [index, value] of given.entries()) named.set(value, list[index] ?? '')
  }
  return named
}
