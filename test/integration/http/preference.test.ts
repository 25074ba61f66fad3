import { expect, test } from 'vitest'
import { readPreference } from '../../../src/http/preference.js'

test.each([
  [undefined, 10_000, ''],
  ['wait=3', 3_000, 'wait=3'],
  ['respond-async', 0, 'respond-async'],
  ['respond-async, wait=2', 2_000, 'respond-async, wait=2'],
  ['handling=lenient; x=1, Wait = "4"', 4_000, 'wait=4'],
  ['wait=0', 0, 'wait=0'],
  ['wait=100000', 50_000, ''],
  ['wait=soon', 10_000, ''],
  ['wait=abc, respond-async', 0, 'respond-async'],
  ['', 10_000, ''],
])('Prefer: %s waits for %i ms, and honours "%s"', (prefer, waitMs, applied) => {
  expect(readPreference(prefer)).toEqual({ waitMs, applied })
})
