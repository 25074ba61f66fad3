/** A moment, as text that Sift takes and as a number that can be compared. */
export interface Timestamp {
  /** In UTC, with 0, 3, 6 or 9 fraction digits: one moment has one text. */
  readonly text: string
  /** Since the epoch; negative before it. */
  readonly nanoseconds: bigint
}

const RFC_3339 = new RegExp(
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d/.source +
    /(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/.source,
  'i',
)

// What google.protobuf.Timestamp can hold.
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z')
const LATEST_MS = Date.parse('9999-12-31T23:59:59Z')

// The calendar repeats after 400 years.
const CYCLE_MS = 146_097 * 86_400_000

/**
 * Reads an RFC 3339 time strictly: a date that the calendar has, an offset, at most nine fraction digits. The years are
 * 0001 to 9999, once it is in UTC. Leap seconds are refused, as protobuf does.
 */
export function parseTimestamp(text: string): Timestamp | undefined {
  if (!RFC_3339.test(text)) return undefined
  // What has the form has each part at its place. Groups of the expression would cost more than all the rest.
  if (text.slice(8, 10) > FEWEST_DAYS && Number(text.slice(8, 10)) > daysInMonth(text)) return undefined
  const isUtc = text.endsWith('Z') || text.endsWith('z')
  const zoneStart = isUtc ? text.length - 1 : text.length - OFFSET_LENGTH
  const ms = isUtc ? undefined : toMs(text, zoneStart)
  if (ms === undefined ? text.startsWith('0000') : ms < EARLIEST_MS || ms > LATEST_MS) return undefined
  return {
    text: isNormal(text, zoneStart) ? text : normalText(text, zoneStart, ms),
    // Read by few: most timestamps are values, and are sent as text.
    get nanoseconds() {
      return BigInt(ms ?? toMs(text, zoneStart)) * 1_000_000n + BigInt(fractionOf(text, zoneStart).padEnd(9, '0'))
    },
  }
}

const SECONDS_END = 'YYYY-MM-DDTHH:MM:SS'.length
const OFFSET_LENGTH = '+HH:MM'.length
/** Of a month. */
const FEWEST_DAYS = '28'

/** Whole seconds, as milliseconds. */
function toMs(text: string, zoneStart: number): number {
  const part = (start: number, end: number) => Number(text.slice(start, end))
  // A cycle later and back, since Date.UTC takes the years 0 to 99 for those of the twentieth century.
  const localMs =
    Date.UTC(part(0, 4) + 400, part(5, 7) - 1, part(8, 10), part(11, 13), part(14, 16), part(17, 19)) - CYCLE_MS
  const sign = text[zoneStart]
  if (sign !== '+' && sign !== '-') return localMs
  const offsetMs = (part(zoneStart + 1, zoneStart + 3) * 60 + part(zoneStart + 4, zoneStart + 6)) * 60_000
  return sign === '-' ? localMs + offsetMs : localMs - offsetMs
}

function toText(ms: number): string {
  return new Date(ms).toISOString().slice(0, SECONDS_END)
}

function daysInMonth(text: string): number {
  const year = Number(text.slice(0, 4))
  const month = Number(text.slice(5, 7))
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function fractionOf(text: string, zoneStart: number): string {
  return text.slice(SECONDS_END + 1, zoneStart)
}

/** Most are in the one form already, and are not written anew. */
function isNormal(text: string, zoneStart: number): boolean {
  if (text[10] !== 'T' || text[zoneStart] !== 'Z') return false
  const point = zoneStart > SECONDS_END ? 1 : 0
  return (zoneStart - SECONDS_END - point) % 3 === 0 && !(point === 1 && text.endsWith('000', zoneStart))
}

/** `ms`: undefined where it is in UTC already. */
function normalText(text: string, zoneStart: number, ms: number | undefined): string {
  const seconds = ms === undefined ? `${text.slice(0, 10)}T${text.slice(11, SECONDS_END)}` : toText(ms)
  const fraction = fractionOf(text, zoneStart).replace(/0+$/, '')
  if (fraction === '') return `${seconds}Z`
  return `${seconds}.${fraction.padEnd(Math.ceil(fraction.length / 3) * 3, '0')}Z`
}

/** Truncates towards the past, as cutting off digits does, also before the epoch. */
export function toMicroseconds(nanoseconds: bigint): bigint {
  const microseconds = nanoseconds / 1000n
  return nanoseconds % 1000n < 0n ? microseconds - 1n : microseconds
}

/**
 * Microseconds since 1970 as RFC 3339, with all six digits: a Date would keep three.
 * @throws RangeError beyond the years that a Date can hold.
 */
export function formatMicroseconds(microseconds: number): string {
  const seconds = Math.floor(microseconds / 1_000_000)
  const fraction = String(microseconds - seconds * 1_000_000).padStart(6, '0')
  return `${new Date(seconds * 1_000).toISOString().slice(0, -'.000Z'.length)}.${fraction}Z`
}
