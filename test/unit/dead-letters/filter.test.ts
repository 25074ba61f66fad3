import { describe, expect, test } from 'vitest'
import { type DeadLetter, toDeadLetter } from '../../../src/dead-letters/dead-letter.js'
import { type DeadLetterFilter, matches, parseAge } from '../../../src/dead-letters/dead-letter-filter.js'

const RECORDED_AT = new Date('2026-03-01T10:00:00Z')
const write = { path: 'name', value: 'n', stamp: '1 0 1 1 0 ingest', source: 'ingest' } as const
const letter: DeadLetter = toDeadLetter(
  { runId: 'run-1', writes: [write], reason: 'invalid_argument', message: 'no', tries: [] },
  RECORDED_AT,
)
const anHourLater = RECORDED_AT.getTime() + 3_600_000

describe('a filter', () => {
  test.each<[DeadLetterFilter, boolean]>([
    [{}, true],
    [{ runId: 'run-1' }, true],
    [{ runId: 'run' }, false],
    [{ reason: 'invalid_argument' }, true],
    [{ reason: 'run_not_found' }, false],
    [{ source: 'ingest' }, true],
    [{ source: 'other' }, false],
    [{ olderThanMs: 3_599_999 }, true],
    [{ olderThanMs: 3_600_000 }, false],
    [{ runId: 'run-1', reason: 'run_not_found' }, false],
  ])('%o matches the letter: %s', (filter, expected) => {
    expect(matches(letter, filter, anHourLater)).toBe(expected)
  })
})

describe('an age', () => {
  test.each([
    ['45s', 45_000],
    ['30m', 1_800_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['0m', 0],
  ])('%s is read as %i ms', (text, ms) => {
    expect(parseAge(text)).toBe(ms)
  })

  test.each(['', '7', 'd', '-1d', '1.5h', '7 d', '7D', '1w', '7dd'])('"%s" is none', (text) => {
    expect(parseAge(text)).toBeUndefined()
  })
})
