import type { JsonObject } from './json-object.js'

/** The most bytes that one UTF-16 unit takes in JSON: an escape such as \u001f. */
const BYTES_PER_UNIT = 6
/** The longest number is -2.2250738585072014e-308; nothing else without parts is longer. Quotes and commas are within. */
const BYTES_PER_VALUE = 28

/**
 * Whether a value is at most so many bytes of UTF-8 once it is JSON. Updates are small, so most are let through by an
 * upper bound that costs far less than writing them out.
 * @throws what JSON.stringify throws for a large value that has cycles, BigInts or too many levels.
 */
export function jsonFits(value: unknown, maxBytes: number): boolean {
  return boundFits(value, maxBytes) || Buffer.byteLength(JSON.stringify(value)) <= maxBytes
}

/** By the upper bound alone. Without recursion, since the depth is the user's; it ends on cycles because every step takes of the room. */
export function boundFits(value: unknown, maxBytes: number): boolean {
  let room = maxBytes
  const rest: unknown[] = [value]
  while (rest.length > 0) {
    const next = rest.pop()
    room -= BYTES_PER_VALUE
    if (typeof next === 'string') room -= next.length * BYTES_PER_UNIT
    if (room < 0) return false
    if (typeof next !== 'object' || next === null) continue
    if (Array.isArray(next)) {
      if (next.length > room) return false
      rest.push(...next)
    } else {
      for (const key of Object.keys(next)) {
        room -= key.length * BYTES_PER_UNIT
        rest.push((next as JsonObject)[key])
      }
    }
  }
  return true
}
