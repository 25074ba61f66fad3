import type { RunUpdate } from '../../src/run/run-update.js'
import { seededDraws } from '../../src/simulator/seeded-draws.js'

export interface MixOptions {
  readonly seed: number
  readonly runs: number
  /** Up to so long ago an update says that it was observed; null: no update says when. Default: five seconds. */
  readonly observedWithinMs?: number | null
  /** One in so many stops its run before any start: Sift refuses it, or the start. Default: none does. */
  readonly everyBadStop?: number
  /** One in so many gives its run another client key than the one that it has. Default: none does. */
  readonly everyOtherKey?: number
}

type Fields = Omit<RunUpdate['run'], 'runId'>

const START_MS = Date.UTC(2026, 0, 1)
const HOUR_MS = 3_600_000

/**
 * A seeded mix of what services learn of runs: few fields at a time, half of them observed earlier than others that came
 * before, some cleared, a client key that many repeat. No two updates write the same value where a field can hold many,
 * so that what is lost shows.
 */
export class MixedUpdates {
  readonly #options: MixOptions
  readonly #draw: () => number
  readonly #opened = new Set<string>()
  #count = 0

  constructor(options: MixOptions) {
    this.#options = options
    this.#draw = seededDraws(options.seed, 'mixed updates')
  }

  take(count: number): RunUpdate[] {
    return Array.from({ length: count }, () => this.next())
  }

  next(): RunUpdate {
    this.#count += 1
    // The cube heats the first runs: they are written while they are being sent.
    const runId = `run-${Math.floor(this.#draw() ** 3 * this.#options.runs)}`
    const fields = this.#fields(runId)
    const observedAt = this.#observedAt()
    return { run: { runId, ...fields }, source: `service-${this.#whole(5)}`, ...(observedAt && { observedAt }) }
  }

  #fields(runId: string): Fields {
    const { everyBadStop, everyOtherKey } = this.#options
    if (!this.#opened.has(runId)) {
      this.#opened.add(runId)
      return { name: `first name ${this.#count}`, clientKey: `key of ${runId}` }
    }
    if (everyBadStop !== undefined && this.#count % everyBadStop === 0) return { stopTime: time(-this.#count) }
    if (everyOtherKey !== undefined && this.#count % everyOtherKey === 0) return { clientKey: `key ${this.#count}` }
    const fields: Fields = {}
    const parts = 1 + this.#whole(3)
    for (let i = 0; i < parts; i++) Object.assign(fields, this.#field(runId))
    return fields
  }

  #field(runId: string): Fields {
    const isCleared = this.#draw() < 0.15
    const text = `v${this.#count}`
    switch (this.#whole(9)) {
      case 0:
        return { name: text }
      case 1:
        return { description: isCleared ? null : text }
      case 2:
        return { tags: isCleared ? null : [text, 'tag'] }
      case 3:
        return { metadata: isCleared ? null : { text, count: this.#count } }
      case 4:
        return { startTime: isCleared ? null : time(this.#count) }
      case 5:
        return { stopTime: isCleared ? null : time(HOUR_MS + this.#count) }
      case 6:
        return { isPinned: this.#draw() < 0.5 }
      case 7:
        return { isArchived: isCleared ? null : this.#draw() < 0.5 }
      default:
        return { clientKey: `key of ${runId}` }
    }
  }

  #observedAt(): string | undefined {
    const { observedWithinMs = 5_000 } = this.#options
    if (observedWithinMs === null || this.#draw() < 0.5) return undefined
    const digits = String(this.#whole(1_000)).padStart(3, '0')
    return `${new Date(Date.now() - this.#whole(observedWithinMs)).toISOString().slice(0, -1)}${digits}Z`
  }

  #whole(below: number): number {
    return Math.floor(this.#draw() * below)
  }
}

function time(ms: number): string {
  return `${new Date(START_MS + ms).toISOString().slice(0, -1)}123456Z`
}
