/**
 * Looks at a lane once a second for all who watch it, together, and not at all when nobody does.
 *
 *  - idle      nobody watches. Left by the first watcher.
 *  - watching  a look a second; each watcher is told of each. Left by the last watcher to go.
 */
import { before } from '../../redis/deadline.js'
import { type Counters, type Flow, FlowMeter } from './flow.js'
import type { Snapshot } from './snapshot.js'

const LOOK_EVERY_MS = 1_000
const LOOK_TIMEOUT_MS = 3_000

/** Five minutes, as the chart shows. */
const KEPT_LOOKS = 300

export type News =
  | { readonly kind: 'look'; readonly snapshot: Snapshot; readonly flow: Flow | null }
  /** The lane can't be looked at: Redis is away. */
  | { readonly kind: 'trouble' }

export type Watcher = (news: News) => void

export class LaneWatch {
  readonly #look: () => Promise<{ snapshot: Snapshot; counters: Counters }>
  readonly #watchers = new Set<Watcher>()
  readonly #meter = new FlowMeter()
  readonly #flows: Flow[] = []
  #last: News | undefined
  #timer: NodeJS.Timeout | undefined
  /** Whether a look is on its way: it sets the timer for the next one. */
  #isLooking = false

  constructor(look: () => Promise<{ snapshot: Snapshot; counters: Counters }>) {
    this.#look = look
  }

  /** What has flowed in the last minutes, as far as somebody watched; oldest first. */
  get flows(): readonly Flow[] {
    return this.#flows
  }

  /** Tells `watcher` of each look, and of the last one at once, until the function that it returns is called. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    if (this.#watchers.size === 1) this.lookNow()
    else if (this.#last) watcher(this.#last)
    return () => {
      this.#watchers.delete(watcher)
      if (this.#watchers.size === 0) this.#rest()
    }
  }

  /** Something was changed by hand: who watches must not wait a second to see it. */
  lookNow(): void {
    if (this.#watchers.size === 0 || this.#isLooking) return
    clearTimeout(this.#timer)
    void this.#lookAndTell()
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#meter.forget()
    this.#last = undefined
  }

  async #lookAndTell(): Promise<void> {
    this.#isLooking = true
    const news = await this.#news()
    this.#isLooking = false
    if (this.#watchers.size === 0) return
    this.#last = news
    for (const watcher of this.#watchers) watcher(news)
    this.#timer = setTimeout(() => void this.#lookAndTell(), LOOK_EVERY_MS)
  }

  async #news(): Promise<News> {
    try {
      const { snapshot, counters } = await before(performance.now() + LOOK_TIMEOUT_MS, this.#look)
      const flow = this.#meter.note(counters)
      if (flow) this.#flows.push(flow)
      if (this.#flows.length > KEPT_LOOKS) this.#flows.shift()
      return { kind: 'look', snapshot, flow }
    } catch {
      return { kind: 'trouble' }
    }
  }
}
