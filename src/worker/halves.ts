import type { FieldPath } from '../run/fields.js'

/** Judged together by the API (start must be before stop), so they are not cut apart until they are alone. */
const PAIR: readonly FieldPath[] = ['startTime', 'stopTime']

/**
 * Cuts a refused mask in two, balanced by number of fields. With the pair in front, a cut in the middle of three or
 * more fields never falls inside it, so the bound of a search by halves stays what it is.
 * Needs at least two fields.
 */
export function halves<Item extends { readonly path: FieldPath }>(items: readonly Item[]): [Item[], Item[]] {
  const isPaired = (item: Item): boolean => PAIR.includes(item.path)
  const ordered = [...items.filter(isPaired), ...items.filter((item) => !isPaired(item))]
  const middle = Math.ceil(ordered.length / 2)
  return [ordered.slice(0, middle), ordered.slice(middle)]
}
