/**
 * What an update means. Parsing keeps these rules:
 *
 *  - A mask selects: a field outside of it is ignored, its value not looked at. Without one (or an empty one), every
 *    updatable field that is present is written.
 *  - A field in the mask that is absent from `run`, or null, is cleared.
 *  - Either spelling of a key is taken, but not both at once.
 *  - What comes out has one form: a moment has one text, metadata is a list with types, tags have no duplicates. The
 *    PATCH made of it parses to itself.
 *  - Nothing throws. A refusal says what was wrong, with which value, and the way out.
 */
import { UpdateRejectedError } from '../errors.js'
import { refuseDeep } from './depth.js'
import { readFieldValue } from './field-value.js'
import { FIELDS, type FieldPath, type FieldValue, OUTPUT_ONLY_FIELDS, type Writes } from './fields.js'
import { isJsonObject } from './json-object.js'
import { boundFits, jsonFits } from './json-size.js'
import { buildPatch } from './patch.js'
import { shown } from './shown.js'
import { RUN_KEYS, readKeys, UPDATE_KEYS } from './spellings.js'
import { isWellFormed } from './text.js'
import { parseTimestamp, toMicroseconds } from './timestamp.js'
import { readUpdateMask } from './update-mask.js'
import { withoutStack } from './without-stack.js'

export type { Writes } from './fields.js'
export type { RunUpdate } from './run-update.js'

/** The most that an update may take as JSON, and the PATCH made of it alone. */
export const MAX_UPDATE_BYTES = 64 * 1024

/**
 * How much longer the one form may be than what was given, at the most: a metadata value such as `"a":1,` becomes 73 bytes,
 * and the mask names each field once more.
 */
const GROWTH = 16

const MAX_SOURCE_LENGTH = 64
const RUN_ID = /^[A-Za-z0-9._-]{1,128}$/

export interface ParsedUpdate {
  readonly runId: string
  /** At least one. */
  readonly writes: Writes
  /** Microseconds since the epoch, truncated. Absent: the time of arrival counts. */
  readonly observedAtUs?: bigint
  /** Who sent it, for whoever reads a dead letter. */
  readonly source?: string
}

export type ParseResult =
  | { readonly ok: true; readonly update: ParsedUpdate }
  | { readonly ok: false; readonly error: UpdateRejectedError }

/** Parses an update as a producer gives it: JSON-like data, of which only own keys are read. */
export function parseRunUpdate(input: unknown): ParseResult {
  return attempt(() => {
    refuseDeep(input)
    const isSmall = boundFits(input, MAX_UPDATE_BYTES / GROWTH)
    if (!isSmall && !jsonFits(input, MAX_UPDATE_BYTES)) throw tooLarge('the update')
    return readUpdate(input, isSmall)
  })
}

/** Parses one line of NDJSON or one body; as `parseRunUpdate`, and refuses what is not JSON. */
export function parseRunUpdateText(line: string): ParseResult {
  return withoutStack(() =>
    attempt(() => {
      // A UTF-16 unit takes three bytes at most, so most lines need no counting.
      if (line.length * 3 > MAX_UPDATE_BYTES && Buffer.byteLength(line) > MAX_UPDATE_BYTES) throw tooLarge('the update')
      const input = parseJson(line)
      refuseDeep(input)
      return readUpdate(input, line.length * 3 < MAX_UPDATE_BYTES / GROWTH)
    }),
  )
}

function attempt(parse: () => ParsedUpdate): ParseResult {
  try {
    return { ok: true, update: parse() }
  } catch (error) {
    if (error instanceof UpdateRejectedError) return { ok: false, error }
    // The input is the caller's own object: it may have cycles, or getters that throw.
    const message = `the update cannot be read as JSON: ${error instanceof Error ? error.message : shown(error)}`
    return { ok: false, error: new UpdateRejectedError('invalid_json', '', message, { cause: error }) }
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    const message = `${shown(line)} is not JSON: ${cause instanceof Error ? cause.message : ''}`
    throw new UpdateRejectedError('invalid_json', '', message, { cause })
  }
}

/** `isSmall`: so small that the PATCH made of it fits, too. */
function readUpdate(input: unknown, isSmall: boolean): ParsedUpdate {
  if (!isJsonObject(input)) throw missingRun(input)
  const update = readKeys(input, UPDATE_KEYS, '')
  const run = update.get('run')
  if (!isJsonObject(run)) throw missingRun(run)
  const given = readKeys(run, RUN_KEYS, 'run.')
  const runId = readRunId(given.get('runId'))
  const writes = readWrites(given, readUpdateMask(update.get('updateMask')))
  const observedAtUs = readObservedAt(update.get('observedAt'))
  const source = readSource(update.get('source'))
  // The one form may be longer than what was given, and a dead letter is parsed again as the PATCH that it was.
  if (!isSmall && !jsonFits(buildPatch(runId, writes), MAX_UPDATE_BYTES))
    throw tooLarge('the PATCH that the update stands for')
  return {
    runId,
    writes,
    ...(observedAtUs !== undefined && { observedAtUs }),
    ...(source !== undefined && { source }),
  }
}

export function isRunId(text: string): boolean {
  return RUN_ID.test(text)
}

function readRunId(runId: unknown): string {
  if (typeof runId === 'string' && isRunId(runId)) return runId
  const message = `run.runId is ${shown(runId)}; it must be 1 to 128 characters of A-Z a-z 0-9 . _ -`
  throw new UpdateRejectedError('invalid_run_id', 'run.runId', message)
}

function readWrites(given: ReadonlyMap<string, unknown>, mask: ReadonlySet<FieldPath> | undefined): Writes {
  const writes: Partial<Record<FieldPath, FieldValue | null>> = {}
  let empty = true
  if (mask === undefined) refuseOutputOnly(given)
  for (const field of FIELDS) {
    if (!(mask ?? given).has(field.path)) continue
    writes[field.path] = readFieldValue(field, given.get(field.path))
    empty = false
  }
  if (!empty) return writes
  const message = `the update names no field; give one of ${FIELDS.map((field) => field.path).join(', ')}`
  throw new UpdateRejectedError('empty_update', 'run', message)
}

function refuseOutputOnly(given: ReadonlyMap<string, unknown>): void {
  for (const { path } of OUTPUT_ONLY_FIELDS) {
    if (!given.has(path)) continue
    const message = `run.${path} is written by Sift alone; leave it out, or name the fields to write in updateMask`
    throw new UpdateRejectedError('not_updatable', `run.${path}`, message)
  }
}

function readObservedAt(observedAt: unknown): bigint | undefined {
  if (observedAt === undefined || observedAt === null) return undefined
  const timestamp = typeof observedAt === 'string' ? parseTimestamp(observedAt) : undefined
  if (timestamp !== undefined) return toMicroseconds(timestamp.nanoseconds)
  const message = `observedAt is ${shown(observedAt)}; it must be an RFC 3339 time such as 2026-03-01T10:00:00.123456Z`
  throw new UpdateRejectedError('invalid_value', 'observedAt', message)
}

function readSource(source: unknown): string | undefined {
  if (source === undefined || source === null || source === '') return undefined
  if (typeof source === 'string' && source.length <= MAX_SOURCE_LENGTH && isWellFormed(source)) return source
  const message = `source is ${shown(source)}; it must be a string of at most ${MAX_SOURCE_LENGTH} characters`
  throw new UpdateRejectedError('invalid_value', 'source', message)
}

function missingRun(found: unknown): UpdateRejectedError {
  const message = `there is no run in the update (found ${shown(found)}); it must be {"run": {"runId": "…", …}}`
  return new UpdateRejectedError('missing_run', 'run', message)
}

function tooLarge(what: string): UpdateRejectedError {
  const message = `${what} is larger than ${MAX_UPDATE_BYTES / 1024} KiB of JSON; write large fields in updates of their own`
  return new UpdateRejectedError('too_large', '', message)
}
