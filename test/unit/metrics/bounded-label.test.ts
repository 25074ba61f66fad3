import { expect, test } from 'vitest'
import { BoundedLabel } from '../../../src/metrics/bounded-label.js'

test('keeps the first values apart, and counts later ones as other', () => {
  const label = new BoundedLabel(2)
  expect(['a', 'b', 'c', 'a', 'd', 'b'].map((value) => label.of(value))).toEqual(['a', 'b', 'other', 'a', 'other', 'b'])
})

test('calls an empty value none, which takes no place', () => {
  const label = new BoundedLabel(1)
  expect(['', 'a', ''].map((value) => label.of(value))).toEqual(['none', 'a', 'none'])
})
