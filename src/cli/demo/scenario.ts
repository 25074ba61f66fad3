/**
 * What a day at a test site does to its runs, in a few seconds: a few hot runs and many cold ones, five services that
 * know nothing of each other, observations that arrive late, fields that are cleared, and now and then something that
 * Sift can't take. Seeded: the same seed makes the same updates, but for the times, which follow the caller's clock.
 */
import type { RunUpdate } from '../../run/run-update.js'
import { seededDraws } from '../../simulator/seeded-draws.js'

type RunFields = Omit<RunUpdate['run'], 'runId'>

/** The services that write; each knows a part of a run. */
export const SOURCES: readonly string[] = [
  'flight-computer',
  'ground-station',
  'scheduler',
  'operator',
  'post-processing',
]

/** One in so many updates stops its run before it has started: Sift refuses that field, and that field only. */
const EVERY_BAD_STOP = 2_500

/** One in so many gives a run another client key than the one that it has. */
const EVERY_KEY_CONFLICT = 2_000

/** One run in so many got its client key elsewhere: Sift refuses ours. */
const EVERY_FOREIGN_KEY = 100

const HOUR_MS = 3_600_000
const TAGS = [
  'hot-fire',
  'static',
  'qualification',
  'acceptance',
  'vibration',
  'thermal',
  'night-shift',
  'rerun',
] as const

export class Scenario {
  readonly runIds: readonly string[]
  readonly #draw: () => number
  /** Runs that have had their first update, which creates them in the eyes of our services. */
  readonly #opened: string[] = []
  readonly #isOpened = new Set<string>()
  #count = 0

  constructor(runs: number, seed: number) {
    const digits = String(runs).length
    this.runIds = Array.from({ length: runs }, (_, index) => `run-${String(index + 1).padStart(digits, '0')}`)
    this.#draw = seededDraws(seed, 'scenario')
  }

  /** The client keys that some runs have in Sift before anything is sent: of the coldest one, at least. */
  get foreignKeys(): ReadonlyMap<string, string> {
    const coldestFirst = this.runIds.toReversed()
    const ids = coldestFirst.filter((_, index) => index % EVERY_FOREIGN_KEY === 0)
    return new Map(ids.map((runId) => [runId, `${runId}-key-of-another-system`]))
  }

  /** The next update. @param nowMs milliseconds since 1970 */
  next(nowMs: number): RunUpdate {
    this.#count += 1
    if (this.#count % EVERY_BAD_STOP === EVERY_BAD_STOP / 2) {
      return { run: { runId: this.#anyOpened(), stopTime: timestamp(nowMs - 9 * HOUR_MS, 0) }, source: 'operator' }
    }
    if (this.#count % EVERY_KEY_CONFLICT === EVERY_KEY_CONFLICT / 2) {
      const runId = this.#anyOpened()
      return { run: { runId, clientKey: `${runId}-second-key` }, source: 'post-processing' }
    }
    const runId = this.#anyRun()
    const fields = this.#isOpened.has(runId) ? this.#change(nowMs) : this.#opening(runId, nowMs)
    const observedAt = this.#observation(nowMs)
    return { run: { runId, ...fields }, source: this.#oneOf(SOURCES), ...(observedAt && { observedAt }) }
  }

  /** The fourth power heats the first runs: a tenth of them gets more than half of the updates. */
  #anyRun(): string {
    return this.runIds[Math.floor(this.#draw() ** 4 * this.runIds.length)] ?? this.#anyOpened()
  }

  #anyOpened(): string {
    return this.#oneOf(this.#opened)
  }

  #opening(runId: string, nowMs: number): RunFields {
    this.#isOpened.add(runId)
    this.#opened.push(runId)
    return { name: `Engine test ${runId}`, clientKey: `${runId}-key`, startTime: this.#time(nowMs - HOUR_MS) }
  }

  /** What a service has learnt: mostly measurements, rarely the end of a run. */
  #change(nowMs: number): RunFields {
    const kind = this.#draw()
    if (kind < 0.5) return { metadata: this.#measurements() }
    if (kind < 0.66) return { description: `${this.#whole(40)} of 40 checks passed` }
    if (kind < 0.8) return { tags: [this.#oneOf(TAGS), this.#oneOf(TAGS)] }
    if (kind < 0.86) return { name: `Engine test, attempt ${this.#whole(9)}` }
    if (kind < 0.9) return { startTime: this.#time(nowMs - HOUR_MS) }
    if (kind < 0.94) return { stopTime: this.#time(nowMs), isArchived: this.#draw() < 0.3 }
    if (kind < 0.97) return { isPinned: this.#draw() < 0.5 }
    return this.#clearing()
  }

  #measurements(): Record<string, string | number | boolean> {
    return {
      'chamber-pressure-bar': this.#whole(9_000) / 100,
      operator: `shift-${this.#whole(3)}`,
      armed: this.#draw() < 0.5,
    }
  }

  #clearing(): RunFields {
    const cleared = this.#draw()
    if (cleared < 0.4) return { description: null }
    if (cleared < 0.7) return { tags: null }
    return cleared < 0.9 ? { metadata: null } : { stopTime: null }
  }

  /** Three in ten don't say when; most others are a moment old, and some come long after newer ones. */
  #observation(nowMs: number): string | undefined {
    const kind = this.#draw()
    if (kind < 0.3) return undefined
    return timestamp(nowMs - this.#whole(kind < 0.9 ? 50 : 5_000), this.#whole(999_999))
  }

  #time(aroundMs: number): string {
    return timestamp(aroundMs + this.#whole(60_000), this.#whole(999_999))
  }

  #whole(most: number): number {
    return Math.floor(this.#draw() * (most + 1))
  }

  #oneOf<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.#draw() * items.length)]
    if (item === undefined) throw new RangeError('there is nothing to choose from')
    return item
  }
}

/** RFC 3339 with all nine digits: real telemetry has them. */
function timestamp(ms: number, nanoseconds: number): string {
  return `${new Date(Math.floor(ms)).toISOString().slice(0, -1)}${String(nanoseconds).padStart(6, '0')}Z`
}
