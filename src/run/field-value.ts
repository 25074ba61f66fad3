import { UpdateRejectedError } from '../errors.js'
import type { Field, FieldValue } from './fields.js'
import { shorten, shown } from './shown.js'

// For the message: zod leaves what it found out of an issue, unless it is told not to.
const WITH_INPUT = { reportInput: true }

/**
 * One field's value as it will be sent; null clears the field.
 * @param value As it was given; undefined where the mask names the field and the run lacks it.
 * @throws UpdateRejectedError `cannot_clear`, `invalid_value`
 */
export function readFieldValue(field: Field, value: unknown): FieldValue | null {
  const path = `run.${field.path}`
  if (!field.clearable && (value === undefined || value === null || value === '')) {
    const message = `${path} is ${value === '' ? 'empty' : 'without a value'}, and this field cannot be cleared; leave it out, of the mask too`
    throw new UpdateRejectedError('cannot_clear', path, message)
  }
  if (value === undefined || value === null) return null
  const result = field.schema.safeParse(value)
  if (result.success) return result.data
  // A second time, since asking for it would make every good value dearer.
  const [issue] = field.schema.safeParse(value, WITH_INPUT).error?.issues ?? []
  const place = [path, ...(issue?.path ?? []).map((part) => shorten(String(part)))].join('.')
  throw new UpdateRejectedError('invalid_value', place, `${place} is ${shown(issue?.input)}: ${issue?.message}`)
}
