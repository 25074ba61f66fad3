import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { describeSetting, VARIABLES } from '../../../src/config.js'
import { REJECTION_CODES } from '../../../src/errors.js'
import { laneOf } from '../../../src/redis/lane.js'
import { codeOf, readDocument, readTable } from './tables.js'

const SRC = new URL('../../../src/', import.meta.url)
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

  test('names only files that are there', () => {
    for (const document of ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/reliability.md']) {
      for (const [, path = ''] of readDocument(document).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
        const base = document.startsWith('docs/') && !path.startsWith('../') ? 'docs/' : ''
        expect(readDocument(base + path.replace('../', '')), `${document} names ${path}`).not.toBe('')
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
