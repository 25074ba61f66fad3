import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toDeadLetter, toListing } from '../../../src/dead-letters/dead-letter.js'
import { readLetter } from '../../../src/dead-letters/read-letter.js'

const letter = toDeadLetter(
  {
    runId: 'run-1',
    writes: [{ path: 'clientKey', value: 'mine', stamp: '1 0 1 1 0 ingest', source: 'ingest' }],
    reason: 'client_key_conflict',
    message: 'the key is taken',
    httpStatus: 400,
    code: 9,
    heldClientKey: 'theirs',
    tries: ['a try'],
  },
  new Date('2026-03-01T10:00:00Z'),
)

const jobOf = (data: unknown, { id = letter.id, name = 'dead-letter' } = {}) => ({
  id,
  name,
  data,
  failedReason: 'the key is taken',
  timestamp: Date.parse('2026-03-01T10:00:00Z'),
})

test('a letter is read as it was recorded', () => {
  expect(readLetter(jobOf(JSON.parse(JSON.stringify(letter))))).toEqual(letter)
})

test('whatever a person edits its data into, a letter keeps its id, its run and a message', () => {
  const edits = fc.oneof(
    fc.json().map((text) => JSON.parse(text)),
    fc.object({ key: fc.constantFrom(...Object.keys(letter)) }),
  )
  fc.assert(
    fc.property(edits, (data) => {
      const read = readLetter(jobOf(data))
      expect(read).toMatchObject({ id: letter.id, runId: 'run-1', message: expect.any(String) })
      expect(new Date(read?.deadLetteredAt ?? '').getTime()).not.toBeNaN()
    }),
  )
})

test.each([
  ['of another name', { name: 'something' }],
  ['whose id is no letter’s', { id: '17' }],
])('a job %s is none', (_what, job) => {
  expect(readLetter(jobOf(letter, job))).toBeUndefined()
})

test('a listing has the keys that scripts rely on, in their order', () => {
  expect(Object.keys(toListing(letter))).toEqual([
    'id',
    'runId',
    'run',
    'updateMask',
    'reason',
    'httpStatus',
    'code',
    'message',
    'deadLetteredAt',
    'attempts',
    'sources',
    'heldClientKey',
  ])
})
