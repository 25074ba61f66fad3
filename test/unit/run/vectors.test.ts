import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseRunUpdate, parseRunUpdateText } from '../../../src/run/parse.js'
import { buildPatch } from '../../../src/run/patch.js'
import { COPIES, loadVectors, ORIGINALS, VECTOR_NAMES } from '../../support/vectors.js'

describe('parsing, by the vectors', () => {
  for (const { name, input, inputText, expect: expected } of loadVectors('parse').cases) {
    const ways = inputText === undefined ? [() => parseRunUpdate(input), JSON.stringify(input)] : [inputText]
    it.each(ways)(`${name} (%#)`, (way) => {
      const result = typeof way === 'string' ? parseRunUpdateText(way) : way()
      if (result.ok) {
        const { runId, writes } = result.update
        expect({ ok: true, runId, writes }).toEqual(expected)
      } else {
        const { code, path } = result.error
        expect({ ok: false, code, path }).toEqual(expected)
      }
    })
  }
})

describe('the PATCH, by the vectors', () => {
  for (const { name, runId, writes, body } of loadVectors('patch').cases) {
    it(name, () => {
      // Compared as text, since the order of the fields is part of it.
      expect(JSON.stringify(buildPatch(runId, writes))).toBe(JSON.stringify(body))
    })
  }
})

describe('the files', () => {
  it('are those that the loader knows', () => {
    expect(readdirSync(COPIES).sort()).toEqual(VECTOR_NAMES.map((name) => `${name}.json`).sort())
  })

  it.runIf(existsSync(ORIGINALS)).each(VECTOR_NAMES)('the copy of %s is its original', (name) => {
    const [copy, original] = [COPIES, ORIGINALS].map((folder) => readFileSync(new URL(`${name}.json`, folder), 'utf8'))
    expect(copy).toBe(original)
  })
})
