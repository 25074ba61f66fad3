import { expect, it } from 'vitest'
import { buildPatch } from '../../../src/run/patch.js'

it('a PATCH without a mask is never built: a server may take every field for named', () => {
  expect(() => buildPatch('run-1', {})).toThrow(RangeError)
})
