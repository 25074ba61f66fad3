import type { DeadLetters } from '../dead-letters/dead-letters.js'
import { BoundedLabel } from './bounded-label.js'

/** Reasons are a closed list, but a person may edit a letter's data. */
const MOST_REASONS = 50

const PAGE = 500

/**
 * How many dead letters there are for each reason. Only BullMQ knows which letters are there, and only a letter its
 * reason: so each letter is read once, and the list of their ids only where it can have changed.
 */
export class LetterReasons {
  readonly #deadLetters: DeadLetters
  readonly #label = new BoundedLabel(MOST_REASONS)
  /** What was told last, and of which state of the lane. */
  #known: { readonly state: string; readonly byReason: ReadonlyMap<string, number> } | undefined
  /** Those that were there at the last look. */
  #reasons: ReadonlyMap<string, string> = new Map()

  constructor(deadLetters: DeadLetters) {
    this.#deadLetters = deadLetters
  }

  /** @param state changes whenever a letter comes or goes: the lane's counts of them. */
  async count(state: string): Promise<ReadonlyMap<string, number>> {
    if (this.#known?.state === state) return this.#known.byReason
    this.#reasons = await this.#look()
    const byReason = new Map<string, number>()
    for (const reason of this.#reasons.values()) byReason.set(reason, (byReason.get(reason) ?? 0) + 1)
    this.#known = { state, byReason }
    return byReason
  }

  async #look(): Promise<ReadonlyMap<string, string>> {
    const ids = await this.#deadLetters.ids()
    const reasons = new Map<string, string>()
    const unread: string[] = []
    for (const id of ids) {
      const reason = this.#reasons.get(id)
      if (reason === undefined) unread.push(id)
      else reasons.set(id, reason)
    }
    for (let start = 0; start < unread.length; start += PAGE) {
      const jobs = await Promise.all(unread.slice(start, start + PAGE).map((id) => this.#deadLetters.find(id)))
      for (const job of jobs) if (job) reasons.set(job.data.id, this.#label.of(job.data.reason))
    }
    return reasons
  }
}
