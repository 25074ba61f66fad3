import { describe, expect, test } from 'vitest'
import { parseStamp, readEntries, toWrites } from '../../src/pending/entry.js'

const STAMP = '1772359200123456 7 42 1772359200123999 1 nightly import'

test("an update's writes come in the table's order, with their merge rules and their JSON", () => {
  expect(toWrites({ clientKey: 'k', stopTime: null, name: 'n' })).toEqual([
    { path: 'name', rule: 'latest', json: '"n"' },
    { path: 'stopTime', rule: 'latest', json: 'null' },
    { path: 'clientKey', rule: 'first', json: '"k"' },
  ])
})

describe('a stamp', () => {
  test('tells the order, the arrival, the redrives and the source', () => {
    expect(parseStamp(STAMP)).toEqual({
      observedUs: 1772359200123456,
      tie: 7,
      sequence: 42,
      arrivedUs: 1772359200123999,
      redrives: 1,
      source: 'nightly import',
    })
  })

  test('may lie before 1970, have no source, or one of several lines', () => {
    expect(parseStamp('-5 0 1 2 0 ')).toMatchObject({ observedUs: -5, source: '' })
    expect(parseStamp('5 0 1 2 0 a\nb')).toMatchObject({ source: 'a\nb' })
  })

  test.each(['', 'tomorrow', '1 2 3 4 5', '1 2 3 4 x source', '1.5 2 3 4 5 '])('that reads "%s" is none', (text) => {
    expect(parseStamp(text)).toBeUndefined()
  })
})

describe('the fields of a pending hash', () => {
  test("are read as entries in the table's order; its bookkeeping is none", () => {
    const fields = new Map([
      ['generation', '3'],
      ['value:tags', '["a"]'],
      ['stamp:tags', STAMP],
      ['stamp:name', STAMP],
      ['value:name', '"n"'],
      ['leaseOwner', 'w1'],
    ])
    const { entries, corrupt } = readEntries(fields)
    expect(entries).toMatchObject([
      { path: 'name', rule: 'latest', value: 'n', json: '"n"', stamp: STAMP, sequence: 42 },
      { path: 'tags', value: ['a'] },
    ])
    expect(corrupt).toEqual([])
  })

  test.each([
    { what: 'a stamp alone', fields: { 'stamp:name': STAMP }, stamp: STAMP, json: '' },
    { what: 'a value alone', fields: { 'value:name': '"n"' }, stamp: '', json: '"n"' },
    { what: 'a value that is no JSON', fields: { 'stamp:name': STAMP, 'value:name': '[' }, stamp: STAMP, json: '[' },
    { what: 'a stamp that is none', fields: { 'stamp:name': '?', 'value:name': '1' }, stamp: '?', json: '1' },
  ])('are told as they are where they cannot be read: $what', ({ fields, stamp, json }) => {
    expect(readEntries(new Map(Object.entries(fields)))).toEqual({
      entries: [],
      corrupt: [{ path: 'name', stamp, json }],
    })
  })

  test('of a path that the table does not have cannot be read', () => {
    const fields = new Map([
      ['stamp:colour', STAMP],
      ['value:colour', '"red"'],
    ])
    expect(readEntries(fields).corrupt).toEqual([{ path: 'colour', stamp: STAMP, json: '"red"' }])
  })
})
