import { z } from 'zod'
import { givenEntries, isJsonObject } from './json-object.js'
import { shown } from './shown.js'
import { HALF_A_CHARACTER, isWellFormed } from './text.js'

/** One key of a run's metadata in the one form that is sent: the key's type is always that of its value. */
export type MetadataValue =
  | { readonly key: MetadataKey<'METADATA_KEY_TYPE_STRING'>; readonly stringValue: string }
  | { readonly key: MetadataKey<'METADATA_KEY_TYPE_NUMBER'>; readonly numberValue: number }
  | { readonly key: MetadataKey<'METADATA_KEY_TYPE_BOOLEAN'>; readonly booleanValue: boolean }

interface MetadataKey<Type> {
  readonly name: string
  readonly type: Type
}

/** Metadata as users give it: the API's list, or a plain object of names and values. */
export type MetadataInput = readonly MetadataValueInput[] | Readonly<Record<string, string | number | boolean>>

type MetadataValueInput = {
  readonly key: {
    readonly name: string
    readonly type?: MetadataValue['key']['type'] | typeof UNSPECIFIED
    readonly archivedDate?: string
  }
  readonly archivedDate?: string
} & (
  | { readonly stringValue: string; readonly numberValue?: never; readonly booleanValue?: never }
  | { readonly numberValue: number; readonly stringValue?: never; readonly booleanValue?: never }
  | { readonly booleanValue: boolean; readonly stringValue?: never; readonly numberValue?: never }
)

const UNSPECIFIED = 'METADATA_KEY_TYPE_UNSPECIFIED'

const VALUE_TYPES: ReadonlyMap<string, 'string' | 'number' | 'boolean'> = new Map([
  ['stringValue', 'string'],
  ['string_value', 'string'],
  ['numberValue', 'number'],
  ['number_value', 'number'],
  ['booleanValue', 'boolean'],
  ['boolean_value', 'boolean'],
])

// A GET tells it, so an update made from what was read has it too.
const READ_ONLY: ReadonlySet<string> = new Set(['archivedDate', 'archived_date'])

/** What is wrong with an entry, and the way out. */
type Problem = string

/**
 * Validates metadata and gives it its one form. A problem's path is that of the entry: its index in a list, its name
 * in a plain object.
 */
export const metadataSchema = z.custom<MetadataInput>().transform((input: unknown, context): MetadataValue[] => {
  const refuse = (message: Problem, path: (string | number)[], found: unknown): never => {
    context.issues.push({ code: 'custom', message, path, input: found })
    return z.NEVER
  }
  if (!Array.isArray(input) && !isJsonObject(input)) {
    return refuse('it must be a list of metadata values, or an object such as {"engine": "M1"}', [], input)
  }
  const values = new Map<string, MetadataValue>()
  const entries: Iterable<[string | number, unknown]> = Array.isArray(input) ? input.entries() : givenEntries(input)
  for (const [position, entry] of entries) {
    const value = typeof position === 'number' ? readEntry(entry) : toMetadataValue(position, entry)
    if (typeof value === 'string') return refuse(value, [position], entry)
    if (values.has(value.key.name)) return refuse('its key is in the list already; keep one of them', [position], entry)
    values.set(value.key.name, value)
  }
  return [...values.values()]
})

/** An entry of the API's list, under either spelling of its names. */
function readEntry(entry: unknown): MetadataValue | Problem {
  if (!isJsonObject(entry)) return 'it must be an object such as {"key": {"name": "engine"}, "stringValue": "M1"}'
  let key: unknown
  const values: { expected: string; value: unknown }[] = []
  for (const [name, value] of givenEntries(entry)) {
    const expected = VALUE_TYPES.get(name)
    if (name === 'key') key = value
    // proto3 JSON reads null as absence.
    else if (expected !== undefined && value !== null) values.push({ expected, value })
    else if (expected === undefined && !READ_ONLY.has(name)) return `${shown(name)} is no part of a metadata value`
  }
  const [given] = values
  if (given === undefined || values.length > 1) {
    return `it must have one of stringValue, numberValue and booleanValue; it has ${values.length}`
  }
  if (typeof given.value !== given.expected) return `its ${given.expected}Value is ${shown(given.value)}`
  return readKey(key, given.value)
}

function readKey(key: unknown, value: unknown): MetadataValue | Problem {
  if (!isJsonObject(key)) return 'it must have a key such as {"name": "engine"}'
  let name: unknown
  let type: unknown = UNSPECIFIED
  for (const [part, content] of givenEntries(key)) {
    if (part === 'name') name = content
    else if (part === 'type') type = content ?? UNSPECIFIED
    else if (!READ_ONLY.has(part)) return `${shown(part)} is no part of a metadata key`
  }
  const result = toMetadataValue(name, value)
  if (typeof result === 'string' || type === UNSPECIFIED || type === result.key.type) return result
  return `its key is of type ${shown(type)} and its value is not; leave the type out, and the value tells it`
}

function toMetadataValue(name: unknown, value: unknown): MetadataValue | Problem {
  if (typeof name !== 'string' || name === '') return 'its key must have a name'
  if (!isWellFormed(name)) return `of its name, ${HALF_A_CHARACTER}`
  switch (typeof value) {
    case 'string':
      if (!isWellFormed(value)) return HALF_A_CHARACTER
      return { key: { name, type: 'METADATA_KEY_TYPE_STRING' }, stringValue: value }
    case 'number':
      if (!Number.isFinite(value)) return 'its number must be finite'
      // JSON has no negative zero: adding 0 makes it the zero that is sent.
      return { key: { name, type: 'METADATA_KEY_TYPE_NUMBER' }, numberValue: value + 0 }
    case 'boolean':
      return { key: { name, type: 'METADATA_KEY_TYPE_BOOLEAN' }, booleanValue: value }
    default:
      return 'its value must be a string, a number or a boolean'
  }
}
