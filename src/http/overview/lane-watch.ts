/**
 * Looks at a lane for all who watch it, together.
 *
 *  - resting   nobody watches: a look every few seconds, which costs some twenty commands, so that whoever comes finds what
 *              has flowed, and that Redis is away is noticed. Entered by `start`, and by the last watcher to go.
 *  - watching  a look a second; each watcher is told of each. Entered by the first watcher.
 *  - closed    by `close`, for good.
 */
import { before } from '../../redis/deadline.js'
import { type Counters, type Flow, FlowMeter } from './flow.js'
import type { Snapshot } from './snapshot.js'

const LOOK_EVERY_MS = 1_000
const REST_MS = 5_000
const LOOK_TIMEOUT_MS = 3_000

/** As much as the chart shows. */
const KEPT_MS = 300_000

export type News =
  | { readonly kind: 'look'; readonly snapshot: Snapshot; readonly flow: Flow | null }
  /** The lane can't be looked at: Redis is away, or hangs. `asOfMs`: of the last look; null: there was none. */
  | { readonly kind: 'trouble'; readonly sinceMs: number; readonly asOfMs: number | null }

export type Watcher = (news: News) => void

export interface LaneWatchOptions {
  readonly look: () => Promise<{ snapshot: Snapshot; counters: Counters }>
  /** A look failed, or hung, and the one before it did not. */
  readonly onTrouble?: (error: Error) => void
  /** Called after each look that succeeds. */
  readonly onLook?: () => void
}

export class LaneWatch {
  readonly #options: LaneWatchOptions
  readonly #watchers = new Set<Watcher>()
  readonly #meter = new FlowMeter()
  #flows: Flow[] = []
  #lastLook: Extract<News, { kind: 'look' }> | undefined
  /** While looks fail. */
  #trouble: Extract<News, { kind: 'trouble' }> | undefined
  #timer: NodeJS.Timeout | undefined
  /** Whether a look is on its way: it sets the timer for the next one. */
  #isLooking = false
  #isClosed = false

  constructor(options: LaneWatchOptions) {
    this.#options = options
  }

  /** What has flowed in the last minutes; oldest first. */
  get flows(): readonly Flow[] {
    return this.#flows
  }

  start(): void {
    this.#lookIfIdle()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  /** Tells `watcher` of each look, and of the last one at once, until the function that it returns is called. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    const isFirst = this.#watchers.size === 1
    // The first one is told a new look in a moment, unless none can be had. Its flow is among `flows`.
    if (this.#lastLook && (this.#trouble || !isFirst)) watcher({ ...this.#lastLook, flow: null })
    if (this.#trouble) watcher(this.#trouble)
    if (isFirst) this.#lookIfIdle()
    return () => void this.#watchers.delete(watcher)
  }

  /** Something was changed by hand: who watches must not wait a second to see it. */
  lookNow(): void {
    if (this.#watchers.size > 0) this.#lookIfIdle()
  }

  #lookIfIdle(): void {
    if (this.#isLooking || this.#isClosed) return
    clearTimeout(this.#timer)
    void this.#lookAndTell()
  }

  async #lookAndTell(): Promise<void> {
    this.#isLooking = true
    const news = await this.#news()
    this.#isLooking = false
    if (this.#isClosed) return
    for (const watcher of this.#watchers) watcher(news)
    this.#timer = setTimeout(() => void this.#lookAndTell(), this.#watchers.size > 0 ? LOOK_EVERY_MS : REST_MS)
  }

  async #news(): Promise<News> {
    const beganMs = Date.now()
    try {
      const { snapshot, counters } = await before(performance.now() + LOOK_TIMEOUT_MS, this.#options.look)
      this.#trouble = undefined
      this.#lastLook = { kind: 'look', snapshot, flow: this.#note(counters) }
      this.#options.onLook?.()
      return this.#lastLook
    } catch (error) {
      const isNew = this.#trouble === undefined
      this.#trouble ??= { kind: 'trouble', sinceMs: beganMs, asOfMs: this.#lastLook?.snapshot.atMs ?? null }
      // Whoever closes takes the connection away.
      if (isNew && !this.#isClosed) this.#options.onTrouble?.(error instanceof Error ? error : new Error(String(error)))
      return this.#trouble
    }
  }

  #note(counters: Counters): Flow | null {
    const flow = this.#meter.note(counters)
    if (flow) this.#flows = [...this.#flows.filter(({ atMs }) => atMs > flow.atMs - KEPT_MS), flow]
    return flow
  }
}
