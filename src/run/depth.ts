import { UpdateRejectedError } from '../errors.js'
import type { JsonObject } from './json-object.js'
import { shorten } from './shown.js'

/** Far more than the five of a run with its metadata. */
const MAX_LEVELS = 64

/** As many parts as an update has that is small. */
const PLAIN_PLACES = 500

/** As deep as other refusals point: `run.metadata.0`. */
const SHOWN_LEVELS = 3

interface Place {
  readonly value: object
  readonly level: number
  readonly key: string | number
  readonly parent: Place | undefined
}

/**
 * Without recursion, since the depth is the user's, and before anything that recurses. Each object is looked at once, so
 * it ends on cycles.
 * @throws UpdateRejectedError `invalid_value`
 */
export function refuseDeep(update: unknown): void {
  if (!isParent(update) || isPlain(update, MAX_LEVELS, { places: PLAIN_PLACES })) return
  const seen = new Set<object>([update])
  const rest: Place[] = [{ value: update, level: 1, key: '', parent: undefined }]
  for (let place = rest.pop(); place; place = rest.pop()) {
    if (place.level > MAX_LEVELS) throw tooDeep(place)
    const { value: parent, level } = place
    const add = (key: string | number, value: unknown) => {
      if (!isParent(value) || seen.has(value)) return
      seen.add(value)
      rest.push({ value, level: level + 1, key, parent: place })
    }
    // Not by its keys: most long lists hold nothing that has parts.
    if (Array.isArray(parent)) for (let index = 0; index < parent.length; index++) add(index, parent[index])
    else for (const key of Object.keys(parent)) add(key, (parent as JsonObject)[key])
  }
}

/** The short way for most updates: small, so that a recursion ends also on cycles, and not too deep. */
function isPlain(parent: object, levels: number, room: { places: number }): boolean {
  if (levels === 0) return false
  for (const key in parent) {
    room.places--
    if (room.places < 0) return false
    const value = (parent as JsonObject)[key]
    if (isParent(value) && !isPlain(value, levels - 1, room)) return false
  }
  return true
}

function isParent(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function tooDeep(deepest: Place): UpdateRejectedError {
  const keys: string[] = []
  for (let place = deepest; place.parent; place = place.parent) keys.unshift(shorten(String(place.key)))
  const path = keys.slice(0, SHOWN_LEVELS).join('.')
  const message = `${path} is nested deeper than ${MAX_LEVELS} levels; a run with its metadata has five`
  return new UpdateRejectedError('invalid_value', path, message)
}
