import fc from 'fast-check'
import { expect, it } from 'vitest'
import { jsonFits } from '../../../src/run/json-size.js'

it('agrees with JSON.stringify to the byte, whatever the value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.integer({ min: -2, max: 2 }), (value, off) => {
      const bytes = Buffer.byteLength(JSON.stringify(value))
      expect(jsonFits(value, bytes + off)).toBe(off >= 0)
    }),
  )
})

it('lets nothing through by its quick bound that is too long', () => {
  const longest = [
    '\u0001'.repeat(1000),
    '\ud800'.repeat(1000),
    -2.2250738585072014e-308,
    { '\u0001': '\u0001' },
    [[[]]],
    '',
    {},
  ]
  for (const value of longest) expect(jsonFits(value, Buffer.byteLength(JSON.stringify(value)) - 1)).toBe(false)
})
