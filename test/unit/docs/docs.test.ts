import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { describeSetting, optionName, VARIABLES } from '../../../src/config.js'
import { REJECTION_CODES } from '../../../src/errors.js'
import { laneOf } from '../../../src/redis/lane.js'
import { readLeaves } from './commands.js'
import { codeOf, readDocument, readTable } from './tables.js'

const ROOT = new URL('../../../', import.meta.url)
const SRC = new URL('src/', ROOT)
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/architecture.md',
  'docs/reference.md',
  'docs/reliability.md',
]
const readme = readDocument('README.md')
const architecture = readDocument('docs/architecture.md')

function sources(ending: string): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(ending))
}

function readSource(file: string): string {
  return readFileSync(new URL(file, SRC), 'utf8')
}

describe('the README', () => {
  test('tells every code of a refusal, and what it means', () => {
    const told = readTable(readme, 'code of a refusal').map(([code, meaning]) => [codeOf(code)[0], meaning])
    expect(Object.fromEntries(told)).toEqual(REJECTION_CODES)
  })

  test('tells every variable with its default', () => {
    const told = readTable(readme, 'variable').map(([variable, preset]) => [codeOf(variable)[0], preset])
    const known = VARIABLES.map((variable) => [variable, String(describeSetting(variable).default ?? '')])
    expect(told).toEqual(known)
  })

  test('tells every command', () => {
    const told = readTable(readme, 'command').map(([command]) => codeOf(command)[0])
    const added = [...readSource('cli/main.ts').matchAll(/^ +create(\w+)Command\(\)/gm)].map(([, name]) =>
      (name ?? '').replace(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase(),
    )
    expect(told.toSorted()).toEqual(added.toSorted())
  })

  test('names only options that are there', async () => {
    const leaves = await readLeaves()
    const known = new Set([
      ...leaves.flatMap(({ options }) => options.map(({ long }) => long)),
      ...VARIABLES.map(optionName),
    ])
    const ours = readme.replaceAll(/(docker compose|curl)[^`\n]*/g, '')
    const named = [...ours.matchAll(/(?<![-\w])--[a-z][a-z-]*/g)].map(([option]) => option)
    expect(named).toContain('--drain')
    for (const option of named) expect([...known, '--help'], option).toContain(option)
  })
})

describe('the documents', () => {
  test('name only files that are there', () => {
    for (const document of DOCUMENTS) {
      for (const [, path = ''] of readDocument(document).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
        const target = new URL(path, new URL(document, ROOT))
        expect(existsSync(target), `${document} names ${path}`).toBe(true)
      }
    }
  })

  test('name only npm scripts that are there', () => {
    const { scripts } = JSON.parse(readDocument('package.json')) as { scripts: Record<string, string> }
    for (const document of DOCUMENTS) {
      for (const [, script = ''] of readDocument(document).matchAll(/\bnpm run ([\w:]+)/g)) {
        expect(scripts, `${document} names ${script}`).toHaveProperty([script])
      }
    }
  })
})

describe('the architecture page', () => {
  test('tells every key in Redis', () => {
    const told = readTable(architecture, 'key').flatMap(([key]) => codeOf(key))
    const names = new Set(['queueName', 'prefix', 'deadLetterQueueName', 'intakeQueueName'])
    expect(told.toSorted()).toEqual(
      Object.keys(laneOf())
        .filter((key) => !names.has(key))
        .toSorted(),
    )
  })

  test('tells every script that is run', () => {
    const told = readTable(architecture, 'script').flatMap(([script]) => codeOf(script))
    const run = sources('scripts.ts').flatMap((file) =>
      [...readSource(file).matchAll(/^ {2}(\w+): new Script/gm)].map(([, name]) => name),
    )
    expect(told.toSorted()).toEqual(run.toSorted())
  })

  test('tells every fact', () => {
    const told = readTable(architecture, 'fact').flatMap(([fact]) => codeOf(fact))
    const known = [...readSource('events.ts').matchAll(/^ {2}'([a-z:-]+)':/gm)].map(([, name]) => name)
    expect(told.toSorted()).toEqual(known.toSorted())
  })

  test('tells every error class with its code', () => {
    const told = readTable(architecture, 'class').flatMap(([classes, code]) =>
      codeOf(classes).map((name) => [name, codeOf(code)[0]]),
    )
    const known = sources('.ts').flatMap((file) => readErrorClasses(readSource(file)))
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(known))
  })
})

/** Each class that is, in the end, a SiftRunUpdaterError, with its code; one that has none of its own inherits it. */
function readErrorClasses(source: string): [name: string, code: string | undefined][] {
  const classes = source.matchAll(
    /^export class (\w+) extends (SiftRunUpdaterError|RedisUnavailableError) \{([\s\S]*?)^\}/gm,
  )
  return [...classes].map(([, name = '', parent, body = '']) => {
    const own = /readonly code = '(\w+)'/.exec(body)?.[1]
    return [name, own ?? (parent === 'RedisUnavailableError' ? 'redis_unavailable' : undefined)]
  })
}
