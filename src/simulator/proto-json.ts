import { parseTimestamp } from '../run/timestamp.js'
import { invalidArgument } from './status.js'

/**
 * The proto3 JSON mapping as grpc-gateway decodes it. This is written apart from the product's own parser on purpose:
 * a misreading that both shared would be found by no test.
 *
 * - Keys are taken in both spellings (`stopTime`, `stop_time`), but not twice; unknown keys are refused.
 * - `null` is the same as absence, though not inside a list.
 * - A whole message is decoded, so a wrong type is refused even in a field that the mask leaves out.
 */

/** Reads one JSON value; `path` is where it was found, for the message. Throws `StatusError` (code 3). */
export type Decoder<T> = (value: unknown, path: string) => T

type Fields = Readonly<Record<string, Decoder<unknown>>>

/** A decoded message: absent keys had their default. */
export type Message<F extends Fields> = { readonly [K in keyof F]?: ReturnType<F[K]> }

const LONE_SURROGATE = /\p{Surrogate}/u
const JSON_NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const DURATION = /^-?\d{1,12}(?:\.\d{1,9})?s$/
const MASK_PATH = /^[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*$/

export const string: Decoder<string> = (value, path) => {
  if (typeof value !== 'string') throw wrongValue(path, 'a string')
  if (LONE_SURROGATE.test(value)) throw wrongValue(path, 'valid UTF-8')
  return value
}

export const bool: Decoder<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw wrongValue(path, 'a boolean')
  return value
}

/** The mapping takes numbers as strings too. What a double can't hold is refused. */
export const double: Decoder<number> = (value, path) => {
  const number = typeof value === 'string' && JSON_NUMBER.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) throw wrongValue(path, 'a number')
  return number
}

/** Gives the text in UTC, with all of its nanoseconds. */
export const timestamp: Decoder<string> = (value, path) => {
  const parsed = typeof value === 'string' ? parseTimestamp(value) : undefined
  if (parsed === undefined) throw wrongValue(path, 'an RFC 3339 timestamp')
  return parsed.text
}

export const duration: Decoder<string> = (value, path) => {
  if (typeof value !== 'string' || !DURATION.test(value)) throw wrongValue(path, 'a duration')
  return value
}

/** One string of comma-separated lowerCamelCase paths. The gateway rejects underscores, spaces, stars and lists. */
export const fieldMask: Decoder<readonly string[]> = (value, path) => {
  const mask = string(value, path)
  if (mask === '') return []
  const paths = mask.split(',')
  const wrong = paths.find((each) => !MASK_PATH.test(each))
  if (wrong !== undefined) throw invalidArgument(`${path} contains invalid path: ${JSON.stringify(wrong)}`)
  return paths
}

/** By name or by number, which is the place in `names`. */
export function enumeration<const N extends string>(names: readonly N[]): Decoder<N> {
  return (value, path) => {
    const name = typeof value === 'number' ? names[value] : names.find((each) => each === value)
    if (name === undefined) throw wrongValue(path, `one of ${names.join(', ')}`)
    return name
  }
}

export function list<T>(item: Decoder<T>): Decoder<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrongValue(path, 'a list')
    return value.map((each, index) => item(each, `${path}[${index}]`))
  }
}

/** `fields` by their JSON names. */
export function message<F extends Fields>(fields: F): Decoder<Message<F>> {
  const spellings = new Map<string, keyof F & string>()
  for (const name of Object.keys(fields)) {
    spellings.set(name, name)
    spellings.set(protoName(name), name)
  }
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongValue(path, 'an object')
    const decoded: { [K in keyof F]?: ReturnType<F[K]> } = {}
    const seen = new Set<string>()
    for (const [key, raw] of Object.entries(value)) {
      const name = spellings.get(key)
      const decode = name === undefined ? undefined : fields[name]
      if (name === undefined || decode === undefined) throw invalidArgument(`unknown field "${key}" in ${path}`)
      if (seen.has(name)) throw invalidArgument(`duplicate field "${key}" in ${path}`)
      seen.add(name)
      if (raw !== null) decoded[name] = decode(raw, `${path}.${name}`) as ReturnType<F[typeof name]>
    }
    return decoded
  }
}

function protoName(jsonName: string): string {
  return jsonName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function wrongValue(path: string, expected: string) {
  return invalidArgument(`invalid value for ${path}: expected ${expected}`)
}
