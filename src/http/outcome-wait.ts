import type { EndedWrites } from '../pending/outcome.js'
import type { AwaitedWrites, Fate } from './awaited-writes.js'
import type { OutcomeChannel } from './outcome-channel.js'
import { type RecordedOutcomeParts, readApplied, readRefused } from './recorded-outcome.js'

export interface OutcomeWaitParts extends RecordedOutcomeParts {
  readonly outcomes: OutcomeChannel
}

/**
 * One request's wait for what becomes of its writes.
 *  - listening   since before the merge: what is announced is kept
 *  - waiting     the writes are known; left when each has met its end, at the deadline, or by `end`
 *  - ended       nothing is listened to any more
 */
export class OutcomeWait {
  readonly #parts: OutcomeWaitParts
  readonly #runId: string
  readonly #stopListening: () => void
  /** Announced before the merge's reply was read. */
  #early: EndedWrites[] = []
  #awaited: AwaitedWrites | undefined
  #wake: () => void = () => {}
  #isOver = false

  constructor(parts: OutcomeWaitParts, runId: string) {
    this.#parts = parts
    this.#runId = runId
    this.#stopListening = parts.outcomes.listen(runId, {
      onEnded: (ended) => this.#note(ended),
      onGap: () => void this.#look().catch(() => {}),
      onClose: () => this.end(),
    })
    if (parts.outcomes.isClosed) this.end()
  }

  /** Undefined: not all of it is known in time. */
  async for(awaited: AwaitedWrites, timeoutMs: number): Promise<Fate | undefined> {
    this.#awaited = awaited
    for (const ended of this.#early) awaited.note(ended)
    this.#early = []
    // A client key that is applied already is in no PATCH: only what is remembered tells.
    if (awaited.openPaths.includes('clientKey')) awaited.note(await this.#readApplied(awaited), true)
    if (!awaited.fate && !this.#isOver) await this.#sleep(timeoutMs)
    // For the last time: where an announcement was missed, this is what tells.
    if (!awaited.fate) await this.#look().catch(() => {})
    return awaited.fate
  }

  end(): void {
    this.#isOver = true
    this.#stopListening()
    this.#wake()
  }

  #note(ended: EndedWrites): void {
    if (!this.#awaited) this.#early.push(ended)
    else this.#awaited.note(ended)
    if (this.#awaited?.fate) this.#wake()
  }

  #sleep(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #look(): Promise<void> {
    if (!this.#awaited) return
    this.#awaited.note(await this.#readApplied(this.#awaited), true)
    for await (const ended of readRefused(this.#parts, this.#runId)) this.#awaited.note(ended, true)
    if (this.#awaited.fate) this.#wake()
  }

  #readApplied({ openPaths }: AwaitedWrites): Promise<EndedWrites> {
    return readApplied(this.#parts, this.#runId, openPaths)
  }
}
