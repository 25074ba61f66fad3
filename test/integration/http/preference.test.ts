import { expect, test } from 'vitest'
import { readWaitMs } from '../../../src/http/preference.js'

test.each([
  [undefined, 10_000],
  ['wait=3', 3_000],
  ['respond-async', 0],
  ['respond-async, wait=2', 2_000],
  ['handling=lenient; x=1, Wait = "4"', 4_000],
  ['wait=0', 0],
  ['wait=100000', 50_000],
  ['wait=soon', 10_000],
  ['', 10_000],
])('Prefer: %s waits for %i ms', (prefer, waitMs) => {
  expect(readWaitMs(prefer)).toBe(waitMs)
})
