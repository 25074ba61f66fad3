import { expect, test } from 'vitest'
import { toDeadLetter } from '../../../src/dead-letters/dead-letter.js'
import { readMendedWrites } from '../../../src/dead-letters/mended-letter.js'
import { MAX_UPDATE_BYTES } from '../../../src/run/parse.js'

const STAMP = '1772359200000000 0 7 1772359200000000 0 '

function letterOf(writes: Parameters<typeof toDeadLetter>[0]['writes']) {
  return toDeadLetter({ runId: 'run-1', writes, reason: 'run_not_found', message: 'no', tries: [] }, new Date())
}

test('a letter of several updates may be larger than one update can be', () => {
  const value = 'x'.repeat(MAX_UPDATE_BYTES * 0.6)
  const letter = letterOf([
    { path: 'name', value, stamp: STAMP, source: '' },
    { path: 'description', value, stamp: STAMP, source: '' },
  ])
  expect(readMendedWrites(letter).map(({ path }) => path)).toEqual(['name', 'description'])
})

test('a field may be mended under its other spelling', () => {
  const letter = letterOf([{ path: 'stopTime', value: '2026-03-01T10:00:00Z', stamp: STAMP, source: '' }])
  const mended = { ...letter, run: { runId: 'run-1', stop_time: '2026-03-02T10:00:00Z' } }
  expect(readMendedWrites(mended)).toMatchObject([{ path: 'stopTime', json: '"2026-03-02T10:00:00Z"', stamp: STAMP }])
})

test.each([
  ['a key that the API does not have', { run: { runId: 'run-1', name: 'n', nmae: 'm' } }, /nmae/],
  ['a value of the wrong type', { run: { runId: 'run-1', name: 5 } }, /run\.name/],
  ['another run', { run: { runId: 'run-2', name: 'n' } }, /enqueue a new update/],
  [
    'a field that it never had',
    { run: { runId: 'run-1', name: 'n' }, updateMask: 'name,tags' },
    /never had a write of tags/,
  ],
])('a letter that was edited to have %s is refused', (_what, edit, message) => {
  const letter = { ...letterOf([{ path: 'name', value: 'n', stamp: STAMP, source: '' }]), ...edit }
  expect(() => readMendedWrites(letter)).toThrow(message)
})
