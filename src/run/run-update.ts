import type { z } from 'zod'
import type { Field } from './fields.js'

type ReadonlyInput<T> = T extends readonly (infer Item)[] ? readonly Item[] : T

type FieldInput<Row extends Field> =
  | ReadonlyInput<z.input<Row['schema']>>
  | (Row['clearable'] extends true ? null : never)

/**
 * An update as users of the library give it. Times are RFC 3339 strings, since a Date loses everything below a
 * millisecond; null clears a field that can be cleared.
 */
export interface RunUpdate {
  readonly run: { readonly runId: string } & { readonly [Row in Field as Row['path']]?: FieldInput<Row> }
  /** Paths, joined by commas or as a list. Selects what is written; a field that it names and `run` lacks is cleared. */
  readonly updateMask?: string | readonly string[]
  /** When this was true, an RFC 3339 time: the newest observation of a field wins. Default: the time of arrival. */
  readonly observedAt?: string
  /** Who sends it, at most 64 characters; shown with a dead letter. */
  readonly source?: string
}
