import { FIELDS, type FieldPath, type FieldValue, type MergeRule } from '../run/fields.js'
import type { Writes } from '../run/parse.js'

/** One field of an update, as the scripts take it: they never look inside the value. */
export interface Write {
  readonly path: FieldPath
  readonly rule: MergeRule
  /** JSON text; `null` clears the field. */
  readonly json: string
}

/** A write's place among all writes of its field: the newest wins. Microseconds are exact in a double until 2255. */
export interface Order {
  readonly observedUs: number
  readonly tie: number
  readonly sequence: number
}

/** One pending write of one field. */
export interface Entry extends Write, Order {
  readonly value: FieldValue | null
  readonly arrivedUs: number
  readonly redrives: number
  readonly source: string
  /** The bookkeeping as Redis holds it: compared, never rebuilt, to tell whether an entry is still the one sent. */
  readonly stamp: string
}

/** An entry that a person has edited into something that can't be read. */
export interface CorruptEntry {
  readonly path: string
  readonly stamp: string
  readonly json: string
}

const ROWS = new Map(FIELDS.map((row) => [row.path as string, row]))

/** The writes of a parsed update, in the table's order. */
export function toWrites(writes: Writes): Write[] {
  const list: Write[] = []
  for (const row of FIELDS) {
    const value = writes[row.path]
    if (value !== undefined) list.push({ path: row.path, rule: row.merge, json: JSON.stringify(value) })
  }
  return list
}

/** The stamp that a merge gives, which Redis builds itself for its own use: no reply carries it. */
export function formatStamp({ observedUs, tie, sequence }: Order, arrivedUs: number, source: string): string {
  return `${observedUs} ${tie} ${sequence} ${arrivedUs} 0 ${source}`
}

const STAMP = /^(-?\d+) (\d+) (\d+) (\d+) (\d+) (.*)$/s

export function parseStamp(stamp: string): (Order & Pick<Entry, 'arrivedUs' | 'redrives' | 'source'>) | undefined {
  const [, observedUs, tie, sequence, arrivedUs, redrives, source] = STAMP.exec(stamp) ?? []
  if (source === undefined) return undefined
  return {
    observedUs: Number(observedUs),
    tie: Number(tie),
    sequence: Number(sequence),
    arrivedUs: Number(arrivedUs),
    redrives: Number(redrives),
    source,
  }
}

/** The entries in the fields of a pending hash, in the table's order, and those that can't be read. */
export function readEntries(fields: ReadonlyMap<string, string>): { entries: Entry[]; corrupt: CorruptEntry[] } {
  const paths = new Set<string>()
  for (const field of fields.keys()) {
    const path = /^(?:stamp|value):(.+)$/s.exec(field)?.[1]
    if (path !== undefined) paths.add(path)
  }
  const entries: Entry[] = []
  const corrupt: CorruptEntry[] = []
  for (const path of paths) {
    const stamp = fields.get(`stamp:${path}`) ?? ''
    const json = fields.get(`value:${path}`) ?? ''
    const entry = readEntry(path, stamp, json)
    if (entry) entries.push(entry)
    else corrupt.push({ path, stamp, json })
  }
  entries.sort((a, b) => canonicalIndex(a.path) - canonicalIndex(b.path))
  return { entries, corrupt }
}

function readEntry(path: string, stamp: string, json: string): Entry | undefined {
  const row = ROWS.get(path)
  const bookkeeping = parseStamp(stamp)
  if (!row || !bookkeeping) return undefined
  try {
    const value = JSON.parse(json) as FieldValue | null
    return { path: row.path, rule: row.merge, json, value, stamp, ...bookkeeping }
  } catch {
    return undefined
  }
}

const CANONICAL = new Map(FIELDS.map((row, index) => [row.path, index]))
const canonicalIndex = (path: FieldPath): number => CANONICAL.get(path) ?? CANONICAL.size
