import { UpdateRejectedError } from '../errors.js'
import { FIELDS, OUTPUT_ONLY_FIELDS } from './fields.js'
import type { JsonObject } from './json-object.js'
import { shorten } from './shown.js'

/** Spelling -> name: Sift takes a key as its JSON name and as its proto name. */
export type Spellings = ReadonlyMap<string, string>

export const UPDATE_KEYS: Spellings = new Map([
  ['run', 'run'],
  ['updateMask', 'updateMask'],
  ['update_mask', 'updateMask'],
  ['observedAt', 'observedAt'],
  ['source', 'source'],
])

/** Every key that a run has, those that only Sift writes included. */
export const RUN_KEYS: Spellings = new Map(
  [{ path: 'runId', protoName: 'run_id' }, ...FIELDS, ...OUTPUT_ONLY_FIELDS].flatMap(({ path, protoName }) => [
    [path, path],
    [protoName, path],
  ]),
)

/**
 * The values of an object by the names of their keys. One that is undefined is absent, as it is once it is JSON.
 * @throws UpdateRejectedError `unknown_field`, `duplicate_field`
 */
export function readKeys(object: JsonObject, spellings: Spellings, parent: '' | 'run.'): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>()
  // Every update comes through here, so no list of entries is made.
  for (const spelling of Object.keys(object)) {
    const value = object[spelling]
    if (value === undefined) continue
    const name = spellings.get(spelling)
    if (name === undefined) {
      const way =
        parent === ''
          ? 'an update has run, updateMask, observedAt and source'
          : `the fields that can be updated are ${FIELDS.map(({ path }) => path).join(', ')}`
      throw new UpdateRejectedError(
        'unknown_field',
        `${parent}${shorten(spelling)}`,
        `${parent}${shorten(spelling)} is no key that the API has; ${way}`,
      )
    }
    if (values.has(name)) {
      throw new UpdateRejectedError(
        'duplicate_field',
        `${parent}${spelling}`,
        `${parent}${name} is given under both of its spellings; keep one of them`,
      )
    }
    values.set(name, value)
  }
  return values
}
