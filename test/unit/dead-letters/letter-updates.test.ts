import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Refusal, toDeadLetter } from '../../../src/dead-letters/dead-letter.js'
import { toUpdates } from '../../../src/dead-letters/letter-updates.js'
import { UnreadableLetterError } from '../../../src/dead-letters/mended-letter.js'
import { parseRunUpdate } from '../../../src/run/parse.js'
import { formatMicroseconds } from '../../../src/run/timestamp.js'

const AT_US = Date.parse('2026-03-01T10:00:00Z') * 1_000 + 123_456

function letterOf(writes: Refusal['writes']) {
  const refusal = { runId: 'run-1', writes, reason: 'invalid_argument', message: 'no', tries: [] } as const
  return toDeadLetter(refusal, new Date())
}

describe('a letter as updates', () => {
  test('keeps the observation time to the microsecond, and the source', () => {
    const letter = letterOf([
      { path: 'name', value: 'n', stamp: `${AT_US} 0 7 ${AT_US} 0 ingest one`, source: 'ingest one' },
    ])
    expect(toUpdates(letter)).toEqual([
      {
        run: { runId: 'run-1', name: 'n' },
        updateMask: 'name',
        observedAt: '2026-03-01T10:00:00.123456Z',
        source: 'ingest one',
      },
    ])
  })

  test('clears what the letter would have cleared', () => {
    const letter = letterOf([{ path: 'tags', value: null, stamp: `${AT_US} 0 7 ${AT_US} 0 `, source: '' }])
    expect(toUpdates(letter)).toEqual([
      { run: { runId: 'run-1' }, updateMask: 'tags', observedAt: '2026-03-01T10:00:00.123456Z' },
    ])
  })

  test('becomes an update for each observation time and source', () => {
    const updates = toUpdates(
      letterOf([
        { path: 'name', value: 'n', stamp: `${AT_US} 0 1 ${AT_US} 0 a`, source: 'a' },
        { path: 'description', value: 'd', stamp: `${AT_US} 0 2 ${AT_US} 0 b`, source: 'b' },
        { path: 'isPinned', value: true, stamp: `${AT_US} 0 1 ${AT_US} 0 a`, source: 'a' },
        { path: 'tags', value: ['t'], stamp: `${AT_US + 1} 0 3 ${AT_US} 0 a`, source: 'a' },
      ]),
    )
    expect(updates.map(({ updateMask, source }) => [updateMask, source])).toEqual([
      ['name,isPinned', 'a'],
      ['description', 'b'],
      ['tags', 'a'],
    ])
  })

  test('is none where nothing of it could ever be read', () => {
    const refusal = { runId: 'run-1', writes: [], reason: 'corrupt_entry', message: 'no', tries: [] } as const
    const letter = toDeadLetter({ ...refusal, raw: { 'value:name': '{' } }, new Date())
    expect(() => toUpdates(letter)).toThrow(UnreadableLetterError)
  })

  test('is taken back by the parser with the very time that it had', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.parse('1900-01-01') * 1_000, max: Date.parse('2200-01-01') * 1_000 }),
        (us) => {
          const [update] = toUpdates(letterOf([{ path: 'name', value: 'n', stamp: `${us} 0 1 1 0 `, source: '' }]))
          const parsed = parseRunUpdate(update)
          expect(parsed.ok && parsed.update.observedAtUs).toBe(BigInt(us))
        },
      ),
    )
  })
})

test.each([
  [0, '1970-01-01T00:00:00.000000Z'],
  [-1, '1969-12-31T23:59:59.999999Z'],
  [1_500_000, '1970-01-01T00:00:01.500000Z'],
])('%i microseconds since 1970 are %s', (us, text) => {
  expect(formatMicroseconds(us)).toBe(text)
})
