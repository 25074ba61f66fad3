import type { Redis } from 'ioredis'
import { type EndedWrites, readAnnouncement } from '../pending/outcome.js'
import type { Lane } from '../redis/lane.js'

export interface OutcomeListener {
  onEnded(ended: EndedWrites): void
  /** Announcements may have been missed, while the connection was away. */
  onGap(): void
  /** Nothing more will come. */
  onClose(): void
}

/** What workers announce on the lane's channel, handed to those who wait for it, by run. */
export class OutcomeChannel {
  readonly #subscriber: Redis
  readonly #lane: Lane
  readonly #listeners = new Map<string, Set<OutcomeListener>>()
  #isClosed = false

  /** The connection stays the caller's, and is for this channel only. */
  constructor(subscriber: Redis, lane: Lane) {
    this.#subscriber = subscriber
    this.#lane = lane
  }

  async open(): Promise<void> {
    this.#subscriber.on('message', (channel, text) => {
      if (channel === this.#lane.outcomes) this.#hand(text)
    })
    await this.#subscriber.subscribe(this.#lane.outcomes)
    // ioredis subscribes again by itself after a reconnect, and its answer to that comes after this event.
    this.#subscriber.on('ready', () => {
      this.#subscriber.subscribe(this.#lane.outcomes).then(
        () => this.#all().forEach((listener) => void listener.onGap()),
        () => {},
      )
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Before the writes are merged, since their end may be announced before the merge's reply is read. */
  listen(runId: string, listener: OutcomeListener): () => void {
    const listeners = this.#listeners.get(runId) ?? new Set()
    this.#listeners.set(runId, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(runId)
    }
  }

  /** Lets all who wait go. */
  close(): void {
    this.#isClosed = true
    for (const listener of this.#all()) listener.onClose()
  }

  #hand(text: string): void {
    const ended = readAnnouncement(text)
    if (!ended) return
    for (const listener of [...(this.#listeners.get(ended.runId) ?? [])]) listener.onEnded(ended)
  }

  #all(): OutcomeListener[] {
    return [...this.#listeners.values()].flatMap((listeners) => [...listeners])
  }
}
