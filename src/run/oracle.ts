/**
 * What every run must hold once all is sent: a fold over the updates that were acknowledged, and over the writes that
 * became dead letters and are none of them redriven. It replays no PATCH, so it holds under any interleaving of merges,
 * tries, crashes and lost answers. The rule, for one field of one run:
 *
 *  1. No update wrote it: it holds its initial value (looked at only where the run's initial state was given).
 *  2. Merge rule `latest`: its newest write counts, by (observation time, tie, sequence); a write told stale counts
 *     here, too, since stale means that a newer one is there. The newest was not refused: exactly its value.
 *  3. The newest was refused: the field keeps what was last applied. Which of the older ones was tried is a matter of
 *     timing (one superseded while pending never is), so any of them that was accepted and not refused may be there,
 *     or the initial value. The refused value may not, but where one of those has the same.
 *  4. Merge rule `first`: the first to arrive stays. It was refused: the place is the next one's. A write that repeats a
 *     refused value may have been joined to it or tried anew: so that value may be there, or not.
 *
 * `startTime` and `stopTime` need no rule: the dead letters tell which of the two was refused.
 *
 * A letter that was redriven and then applied, or found stale, is no refusal any more; one that was discarded still is.
 */
import { FIELDS, type Field, type FieldPath, type Writes } from './fields.js'

/** A write's place among all writes of its field. */
export interface WriteOrder {
  /** Microseconds since the epoch: as observed, or else as Redis stamped the arrival. */
  readonly observedUs: number
  readonly tie: number
  /** The number of the merge. No two updates have the same. */
  readonly sequence: number
}

/** An acknowledged update, with what its producer was told. */
export interface AcknowledgedUpdate extends WriteOrder {
  readonly runId: string
  readonly writes: Writes
  readonly staleFields: readonly FieldPath[]
  /** A conflicting client key is a dead letter from the start, and never counts. */
  readonly conflictFields: readonly FieldPath[]
}

/** One field of a dead letter. */
export interface RefusedWrite {
  readonly runId: string
  readonly path: FieldPath
  readonly sequence: number
}

/** A run as Sift gives it. What it lacks is unset. */
export type RunState = Readonly<Partial<Record<FieldPath, unknown>>>

/** A field that does not hold what it must. Values are in the one form that is sent; null is unset. */
export interface Difference {
  readonly runId: string
  readonly path: FieldPath
  readonly actual: unknown
  /** Any of these would have been right. */
  readonly allowed: readonly unknown[]
}

interface Write extends WriteOrder {
  /** JSON of the canonical value, which makes values comparable. */
  readonly json: string
  readonly stale: boolean
}

export class Oracle {
  readonly #initialRuns: ReadonlyMap<string, RunState>
  /** Run -> field -> its writes, in the order in which they were told. */
  readonly #writes = new Map<string, Map<FieldPath, Write[]>>()
  readonly #refused = new Set<string>()

  /** @param initialRuns The runs before the first update. One that is not in it is taken for wholly unset. */
  constructor(initialRuns: ReadonlyMap<string, RunState> = new Map()) {
    // A copy, since a simulator's live map is what a test has at hand.
    this.#initialRuns = new Map([...initialRuns].map(([runId, run]) => [runId, { ...run }]))
  }

  /** Takes in an acknowledged update; the order of the calls does not matter. */
  accept(update: AcknowledgedUpdate): void {
    const { runId, observedUs, tie, sequence } = update
    const fields = this.#writes.get(runId) ?? new Map<FieldPath, Write[]>()
    this.#writes.set(runId, fields)
    for (const field of FIELDS) {
      const { path } = field
      const value = update.writes[path]
      if (value === undefined || update.conflictFields.includes(path)) continue
      const write = {
        observedUs,
        tie,
        sequence,
        json: canonical(field, value),
        stale: update.staleFields.includes(path),
      }
      const writes = fields.get(path)
      if (writes === undefined) fields.set(path, [write])
      else writes.push(write)
    }
  }

  /** Takes in a write that is a dead letter at the end, or was when it was discarded. */
  refuse(write: RefusedWrite): void {
    this.#refused.add(refusalKey(write.runId, write.path, write.sequence))
  }

  /** Holds the runs, as they are when all is sent, against the rule. A run that is missing counts as wholly unset. */
  compare(runs: ReadonlyMap<string, RunState>): Difference[] {
    const differences: Difference[] = []
    for (const runId of new Set([...this.#initialRuns.keys(), ...this.#writes.keys()])) {
      const run = runs.get(runId) ?? {}
      for (const field of FIELDS) {
        const allowed = this.#allowed(runId, field)
        const actual = canonical(field, run[field.path])
        if (allowed === undefined || allowed.has(actual)) continue
        differences.push({
          runId,
          path: field.path,
          actual: JSON.parse(actual),
          allowed: [...allowed].map((json) => JSON.parse(json)),
        })
      }
    }
    return differences
  }

  #allowed(runId: string, field: Field): ReadonlySet<string> | undefined {
    const initialRun = this.#initialRuns.get(runId)
    const initial = canonical(field, initialRun?.[field.path])
    const writes = this.#writes.get(runId)?.get(field.path)
    if (writes === undefined) return initialRun === undefined ? undefined : new Set([initial])
    const isRefused = ({ sequence }: Write) => this.#refused.has(refusalKey(runId, field.path, sequence))
    return field.merge === 'first' ? firstOf(writes, initial, isRefused) : latestOf(writes, initial, isRefused)
  }
}

function latestOf(
  writes: readonly Write[],
  initial: string,
  isRefused: (write: Write) => boolean,
): ReadonlySet<string> {
  const newest = writes.reduce((best, write) => (isNewer(write, best) ? write : best))
  if (!isRefused(newest)) return new Set([newest.json])
  return new Set([initial, ...writes.filter((write) => !write.stale && !isRefused(write)).map(({ json }) => json)])
}

function firstOf(writes: readonly Write[], initial: string, isRefused: (write: Write) => boolean): ReadonlySet<string> {
  const allowed = new Set([initial])
  const refusedValues = new Set<string>()
  for (const write of writes.toSorted((a, b) => a.sequence - b.sequence)) {
    if (isRefused(write)) refusedValues.add(write.json)
    else if (refusedValues.has(write.json)) allowed.add(write.json)
    else return new Set([write.json])
  }
  return allowed
}

function isNewer(a: WriteOrder, b: WriteOrder): boolean {
  return (a.observedUs - b.observedUs || a.tie - b.tie || a.sequence - b.sequence) > 0
}

const refusalKey = (runId: string, path: FieldPath, sequence: number): string => `${runId} ${path} ${sequence}`

/** Sift and proto3 JSON leave open how an unset field is written: absent, null, empty or false. Here it is null. */
function canonical(field: Field, value: unknown): string {
  if (value === undefined || value === null) return 'null'
  const parsed = field.schema.safeParse(value)
  const json = JSON.stringify(parsed.success ? parsed.data : value)
  return json === '""' || json === 'false' || json === '[]' ? 'null' : json
}
