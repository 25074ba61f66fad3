import { FIELDS, type FieldPath, type FieldValue, type Writes } from './fields.js'

/** The body of `PATCH /api/v2/runs`. A field that the mask names and `run` lacks is cleared. */
export interface PatchBody {
  readonly run: { readonly runId: string } & Readonly<Partial<Record<FieldPath, FieldValue>>>
  /** Paths in lowerCamelCase, in the order of the field table, joined by commas. */
  readonly updateMask: string
}

/**
 * The one PATCH that makes these writes.
 * @throws RangeError where there are none: without a mask, a server may take every field for named.
 */
export function buildPatch(runId: string, writes: Writes): PatchBody {
  const run: { runId: string } & Partial<Record<FieldPath, FieldValue>> = { runId }
  const mask: FieldPath[] = []
  for (const { path } of FIELDS) {
    const value = writes[path]
    if (value === undefined) continue
    mask.push(path)
    if (value !== null) run[path] = value
  }
  if (mask.length === 0) throw new RangeError(`there is nothing to write to run ${runId}`)
  return { run, updateMask: mask.join(',') }
}
