import { invalidArgument } from './status.js'
import type { MetadataMessage } from './update-request.js'

interface Key<T extends string> {
  readonly name: string
  readonly type: `METADATA_KEY_TYPE_${T}`
}

/** One entry as the API stores and answers it. */
export type StoredMetadata =
  | { readonly key: Key<'STRING'>; readonly stringValue: string }
  | { readonly key: Key<'NUMBER'>; readonly numberValue: number }
  | { readonly key: Key<'BOOLEAN'>; readonly booleanValue: boolean }

/**
 * Each entry has a key of a name of its own, and exactly one value, of the type that the key says.
 * Throws `StatusError` (code 3).
 */
export function checkMetadata(entries: readonly MetadataMessage[]): readonly StoredMetadata[] {
  const names = new Set<string>()
  return entries.map((entry, index) => {
    const stored = checkEntry(entry, `run.metadata[${index}]`)
    if (names.has(stored.key.name)) throw invalidArgument(`run.metadata has the key "${stored.key.name}" twice`)
    names.add(stored.key.name)
    return stored
  })
}

function checkEntry({ key, stringValue, numberValue, booleanValue }: MetadataMessage, path: string): StoredMetadata {
  if (!key?.name) throw invalidArgument(`${path}.key.name is required`)
  const { name, type } = key
  const values = [stringValue, numberValue, booleanValue].filter((value) => value !== undefined)
  if (values.length !== 1) throw invalidArgument(`${path} must have exactly one value`)
  if (type === 'METADATA_KEY_TYPE_STRING' && stringValue !== undefined) return { key: { name, type }, stringValue }
  if (type === 'METADATA_KEY_TYPE_NUMBER' && numberValue !== undefined) return { key: { name, type }, numberValue }
  if (type === 'METADATA_KEY_TYPE_BOOLEAN' && booleanValue !== undefined) return { key: { name, type }, booleanValue }
  throw invalidArgument(`${path}.key.type does not agree with the value`)
}
