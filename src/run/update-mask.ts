import { UpdateRejectedError } from '../errors.js'
import { FIELDS, type FieldPath, fieldByPath } from './fields.js'
import { shown } from './shown.js'
import { RUN_KEYS } from './spellings.js'

/**
 * The fields that a mask names, under either spelling; undefined where it names none, as a mask that is absent.
 * Spaces around a path and duplicates are tolerated.
 * @throws UpdateRejectedError `invalid_value`, `unknown_mask_path`, `not_updatable`
 */
export function readUpdateMask(mask: unknown): ReadonlySet<FieldPath> | undefined {
  if (mask === undefined || mask === null) return undefined
  const selected = new Set<FieldPath>()
  for (const part of textOf(mask).split(',')) {
    const path = part.trim()
    if (path !== '') selected.add(readPath(path))
  }
  return selected.size === 0 ? undefined : selected
}

function textOf(mask: unknown): string {
  if (typeof mask === 'string') return mask
  if (!Array.isArray(mask)) {
    const message = `updateMask is ${shown(mask)}; it must be a string such as "name,stopTime", or a list of such paths`
    throw new UpdateRejectedError('invalid_value', 'updateMask', message)
  }
  for (const [index, path] of mask.entries()) {
    if (typeof path === 'string') continue
    const message = `updateMask.${index} is ${shown(path)}; it must be a path such as "name"`
    throw new UpdateRejectedError('invalid_value', `updateMask.${index}`, message)
  }
  return mask.join(',')
}

function readPath(path: string): FieldPath {
  const name = RUN_KEYS.get(path)
  const field = name === undefined ? undefined : fieldByPath(name)
  if (field !== undefined) return field.path
  const updatable = FIELDS.map((row) => row.path).join(', ')
  if (name !== undefined) {
    const message = `updateMask names ${shown(path)}, which cannot be updated; these can: ${updatable}`
    throw new UpdateRejectedError('not_updatable', 'updateMask', message)
  }
  const message = `updateMask names ${shown(path)}, which is no field of a run; these can be updated: ${updatable}`
  throw new UpdateRejectedError('unknown_mask_path', 'updateMask', message)
}
