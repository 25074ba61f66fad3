import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { parseRunUpdate } from '../../../src/run/parse.js'

function parseMetadata(metadata: unknown) {
  const result = parseRunUpdate({ run: { runId: 'run-1', metadata } })
  return result.ok ? result.update.writes.metadata : { path: result.error.path, message: result.error.message }
}

describe('metadata', () => {
  it('takes a value that is null for absent, as proto3 JSON does', () => {
    expect(parseMetadata([{ key: { name: 'k', type: null }, stringValue: null, number_value: 1 }])).toEqual([
      { key: { name: 'k', type: 'METADATA_KEY_TYPE_NUMBER' }, numberValue: 1 },
    ])
  })

  it('takes a value that is undefined for absent, as JSON does', () => {
    const expected = [{ key: { name: 'k', type: 'METADATA_KEY_TYPE_NUMBER' }, numberValue: 1 }]
    expect(parseMetadata({ k: 1, l: undefined })).toEqual(expected)
    expect(parseMetadata([{ key: { name: 'k', x: undefined }, numberValue: 1, y: undefined }])).toEqual(expected)
  })

  it('has one zero, since JSON has one', () => {
    expect(parseMetadata({ k: -0 })).toEqual([{ key: { name: 'k', type: 'METADATA_KEY_TYPE_NUMBER' }, numberValue: 0 }])
  })

  it.each([
    ['a Map', new Map([['k', 'v']])],
    ['a Set', new Set(['k'])],
    ['a Date', new Date(0)],
    ['an instance of a class', new (class Metadata {})()],
  ])('is refused as %s, which has no entries as JSON', (_what, metadata) => {
    const result = parseRunUpdate({ run: { runId: 'run-1', metadata } })
    expect(result).toMatchObject({ ok: false, error: { code: 'invalid_value', path: 'run.metadata' } })
  })

  it('may come from another realm, such as a vm context', () => {
    expect(parseMetadata(runInNewContext('({ k: "v" })'))).toHaveLength(1)
  })

  it('may be an empty object', () => {
    expect(parseMetadata({})).toEqual([])
  })

  it.each([
    ['a string', 'k', 'run.metadata', 'run.metadata is "k": it must be a list'],
    ['an entry that is no object', ['k'], 'run.metadata.0', '"k": it must be an object such as'],
    ['an entry without a key', [{ stringValue: 'v' }], 'run.metadata.0', 'it must have a key such as'],
    ['a key that is a string', [{ key: 'k', stringValue: 'v' }], 'run.metadata.0', 'it must have a key such as'],
    [
      'a stranger in an entry',
      [{ key: { name: 'k' }, stringvalue: 'v' }],
      'run.metadata.0',
      '"stringvalue" is no part',
    ],
    ['a stranger in a key', [{ key: { name: 'k', Type: 1 }, stringValue: 'v' }], 'run.metadata.0', '"Type" is no part'],
    [
      'both spellings of a value',
      [{ key: { name: 'k' }, stringValue: 'v', string_value: 'v' }],
      'run.metadata.0',
      'it has 2',
    ],
    ['a value of another type', [{ key: { name: 'k' }, numberValue: '1' }], 'run.metadata.0', 'its numberValue is "1"'],
    ['an unknown type', [{ key: { name: 'k', type: 2 }, numberValue: 1 }], 'run.metadata.0', 'its key is of type 2'],
    ['a lone surrogate', [{ key: { name: 'k' }, stringValue: '\ud800' }], 'run.metadata.0', 'half of a surrogate pair'],
    ['a lone surrogate in a name', { '\ud800': 'v' }, 'run.metadata.\ud800', 'half of a surrogate pair'],
    ['null in a plain object', { a: 1, k: null }, 'run.metadata.k', 'must be a string, a number or a boolean'],
    ['a list in a plain object', { k: [] }, 'run.metadata.k', 'run.metadata.k is a list'],
    ['a number that is none', { k: Number.NaN }, 'run.metadata.k', 'run.metadata.k is NaN: its number must be finite'],
    ['an empty name in a plain object', { '': 1 }, 'run.metadata.', 'its key must have a name'],
  ])('refuses %s', (_, metadata, path, message) => {
    expect(parseMetadata(metadata)).toEqual({ path, message: expect.stringContaining(message) })
  })
})
