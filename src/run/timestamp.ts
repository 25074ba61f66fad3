/** A moment, as text that Sift takes and as a number that can be compared. */
export interface Timestamp {
  /** In UTC, with 0, 3, 6 or 9 fraction digits: one moment has one text. */
  readonly text: string
  /** Since the epoch; negative before it. */
  readonly nanoseconds: bigint
}

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/i

// What google.protobuf.Timestamp can hold.
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z')
const LATEST_MS = Date.parse('9999-12-31T23:59:59Z')

/**
 * Reads an RFC 3339 time strictly: a date that the calendar has, an offset, at most nine fraction digits. The years are
 * 0001 to 9999, once it is in UTC. Leap seconds are refused, as protobuf does.
 */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = RFC_3339.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour = '00', offsetMinute = '00'] = match

  // A Date rolls the 30th of February or hour 24 over in silence, so its parts are compared with what was written.
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second))
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1) return undefined
  if (date.getUTCHours() !== Number(hour) || date.getUTCMinutes() !== Number(minute)) return undefined
  if (date.getUTCSeconds() !== Number(second) || offsetHour > '23' || offsetMinute > '59') return undefined

  const offsetMinutes = Number(offsetHour) * 60 + Number(offsetMinute)
  date.setTime(date.getTime() - (sign === '-' ? -offsetMinutes : offsetMinutes) * 60_000)
  if (date.getTime() < EARLIEST_MS || date.getTime() > LATEST_MS) return undefined

  const nanos = fraction.padEnd(9, '0')
  return {
    text: `${date.toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)}${fractionText(nanos)}Z`,
    nanoseconds: BigInt(date.getTime()) * 1_000_000n + BigInt(nanos),
  }
}

function fractionText(nanos: string): string {
  if (nanos === '000000000') return ''
  return `.${nanos.replace(/(?:000){1,2}$/, '')}`
}

/** Truncates towards the past, as cutting off digits does, also before the epoch. */
export function toMicroseconds(nanoseconds: bigint): bigint {
  const microseconds = nanoseconds / 1000n
  return nanoseconds % 1000n < 0n ? microseconds - 1n : microseconds
}
