import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTimestamp, toMicroseconds } from '../../../src/run/timestamp.js'

describe('a timestamp', () => {
  it.each([
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z', 0n],
    ['1970-01-01T00:00:00.000000001Z', '1970-01-01T00:00:00.000000001Z', 1n],
    ['1969-12-31T23:59:59.999999999Z', '1969-12-31T23:59:59.999999999Z', -1n],
    ['2026-03-01T10:00:00.1200Z', '2026-03-01T10:00:00.120Z', 1_772_359_200_120_000_000n],
    ['2026-03-01T10:00:00.0001Z', '2026-03-01T10:00:00.000100Z', 1_772_359_200_000_100_000n],
    ['2026-03-01T10:00:00.0000001Z', '2026-03-01T10:00:00.000000100Z', 1_772_359_200_000_000_100n],
    ['2026-01-01T00:30:00+05:45', '2025-12-31T18:45:00Z', 1_767_206_700_000_000_000n],
    ['2024-02-29T23:59:59-23:59', '2024-03-01T23:58:59Z', 1_709_337_539_000_000_000n],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z', -62_135_596_800_000_000_000n],
    ['0000-12-31T23:00:00-01:00', '0001-01-01T00:00:00Z', -62_135_596_800_000_000_000n],
    ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59.999999999Z', 253_402_300_799_999_999_999n],
    ['2000-02-29T00:00:00-00:00', '2000-02-29T00:00:00Z', 951_782_400_000_000_000n],
  ])('%s is %s', (given, text, nanoseconds) => {
    expect(parseTimestamp(given)).toEqual({ text, nanoseconds })
  })

  it.each([
    ['the year 1900 has no 29th of February', '1900-02-29T00:00:00Z'],
    ['the year 2025 has no 29th of February', '2025-02-29T00:00:00Z'],
    ['April has no 31st', '2026-04-31T00:00:00Z'],
    ['there is no day 0', '2026-04-00T00:00:00Z'],
    ['there is no month 13', '2026-13-01T00:00:00Z'],
    ['there is no month 0', '2026-00-01T00:00:00Z'],
    ['protobuf has no leap seconds', '2016-12-31T23:59:60Z'],
    ['there is no minute 60', '2026-01-01T00:60:00Z'],
    ['there is no offset of 24 hours', '2026-01-01T00:00:00+24:00'],
    ['there is no offset of 60 minutes', '2026-01-01T00:00:00+00:60'],
    ['an offset has a colon', '2026-01-01T00:00:00+0100'],
    ['a fraction has digits', '2026-01-01T00:00:00.Z'],
    ['a space is no T', '2026-01-01 00:00:00Z'],
    ['a line break at the end is no part of it', '2026-01-01T00:00:00Z\n'],
    ['digits are ASCII', '２026-01-01T00:00:00Z'],
    ['years have four digits', '+12026-01-01T00:00:00Z'],
  ])('%s', (_, text) => {
    expect(parseTimestamp(text)).toBeUndefined()
  })

  it('keeps every moment that protobuf can hold, whatever its offset', () => {
    const moment = fc.bigInt({ min: -62_135_596_800_000_000_000n, max: 253_402_300_799_999_999_999n })
    const offsetMinutes = fc.integer({ min: -1439, max: 1439 })
    fc.assert(
      fc.property(moment, offsetMinutes, (nanoseconds, offset) => {
        const local = spell(nanoseconds, offset)
        fc.pre(local !== undefined)
        const parsed = parseTimestamp(local)
        expect(parsed?.nanoseconds).toBe(nanoseconds)
        expect(parseTimestamp(parsed?.text ?? '')).toEqual(parsed)
      }),
    )
  })
})

describe('microseconds', () => {
  it.each([
    [1_999n, 1n],
    [2_000n, 2n],
    [0n, 0n],
    [-1n, -1n],
    [-1_000n, -1n],
    [-1_001n, -2n],
  ])('%s nanoseconds are cut to %s', (nanoseconds, microseconds) => {
    expect(toMicroseconds(nanoseconds)).toBe(microseconds)
  })
})

/** The moment as a clock at that offset shows it; undefined where its year has not four digits. */
function spell(nanoseconds: bigint, offsetMinutes: number): string | undefined {
  const nanos = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = Number((nanoseconds - nanos) / 1_000_000_000n)
  const local = new Date((seconds + offsetMinutes * 60) * 1000).toISOString()
  if (!/^\d{4}-/.test(local)) return undefined
  const [hours, minutes] = [Math.floor(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60].map((part) =>
    String(part).padStart(2, '0'),
  )
  const sign = offsetMinutes < 0 ? '-' : '+'
  return `${local.slice(0, 19)}.${String(nanos).padStart(9, '0')}${sign}${hours}:${minutes}`
}
