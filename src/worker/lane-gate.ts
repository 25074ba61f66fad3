/**
 * A worker's gate: it takes no jobs while the lane is closed.
 *
 *  - open      jobs are taken. Left by `close`, which a job calls that met a closed lane.
 *  - closed    BullMQ's worker is paused. The lane is looked at when its hold should be over, every few seconds, when its
 *              change is announced, and when the connection is back; left by `#reopen`.
 *  - probing   jobs are taken again, but no more than two at a time: one for the probe, and one of another run where the
 *              first is of the run that probed last. Left for open or closed by what they meet.
 */
import type { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { FactEmitter } from '../events.js'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import type { LaneState, Throttle } from '../throttle/throttle.js'

const PROBING_CONCURRENCY = 2

export class LaneGate {
  readonly #worker: Worker
  readonly #throttle: Throttle
  readonly #policy: Policy
  readonly #facts: FactEmitter
  readonly #concurrency: number
  #mode: 'open' | 'closed' | 'probing' | 'ended' = 'open'
  /** The next look at the lane; there only while the gate is not open. */
  #timer: NodeJS.Timeout | undefined
  /** On the monotonic clock: the run that was refused last may probe then, and no other was there. */
  #probeFrom = 0
  /** The hold is over, and for a whole pause between two looks no job came to probe. */
  #isDeserted = false
  /** What was last told as a fact, so that each change is told once. */
  #toldReason: string | null = null

  constructor(worker: Worker, throttle: Throttle, policy: Policy, facts: FactEmitter) {
    this.#worker = worker
    this.#throttle = throttle
    this.#policy = policy
    this.#facts = facts
    this.#concurrency = worker.concurrency
  }

  /**
   * Whether the sweeper rests: the worker is kept from taking jobs. Not where no job is there to be taken though a probe
   * is due: if they were lost in the hold, nobody but the sweeper can open the lane.
   */
  get isClosed(): boolean {
    return this.#mode !== 'open' && !this.#isDeserted
  }

  /** Listens for announcements. The subscriber is a connection of its own, and stays the caller's to close. */
  async listen(subscriber: Redis, lane: Lane): Promise<void> {
    subscriber.on('message', () => void this.look())
    subscriber.on('ready', () => void this.look())
    await subscriber.subscribe(lane.announcements)
  }

  /**
   * A job met a closed lane. Must be called before the job is moved back: else BullMQ would hand out the next one at
   * once. `true`: inside a processor, `pause` would wait for the processor itself.
   * @param remainingMs its run gets no permit sooner; the lane alone does not tell how long it keeps the next probe from
   * the run that probed last.
   */
  async close(remainingMs: number): Promise<void> {
    if (this.#mode === 'ended') return
    this.#mode = 'closed'
    this.#probeFrom = performance.now() + Math.min(remainingMs, this.#policy.otherRunPauseMs)
    await this.#worker.pause(true)
    void this.look()
  }

  end(): void {
    this.#mode = 'ended'
    clearTimeout(this.#timer)
  }

  /** Looks at the lane, and opens or keeps the gate by what it sees. */
  async look(): Promise<void> {
    if (this.#mode === 'ended') return
    clearTimeout(this.#timer)
    let lane: LaneState
    try {
      lane = await this.#throttle.read()
    } catch {
      // Redis is away: that is told elsewhere, and the next look is due all the same.
      this.#lookIn(this.#policy.laneLookMs)
      return
    }
    this.#tell(lane)
    if (!this.#isKeptClosed()) return
    const isProbeDue = lane.remainingMs === 0 && !lane.isProbing
    this.#isDeserted = isProbeDue && this.#mode === 'probing'
    const pauseMs = this.#probeFrom - performance.now()
    if (lane.state === 'open') {
      this.#reopen('open', this.#concurrency)
    } else if (isProbeDue && pauseMs <= 0) {
      this.#reopen('probing', PROBING_CONCURRENCY)
      this.#lookIn(this.#policy.laneLookMs)
    } else if (this.#mode === 'closed') {
      this.#lookIn(isProbeDue ? pauseMs : lane.remainingMs)
    } else {
      this.#lookIn(this.#policy.laneLookMs)
    }
  }

  /** Asked again after each wait: the mode may have changed meanwhile. */
  #isKeptClosed(): boolean {
    return this.#mode === 'closed' || this.#mode === 'probing'
  }

  #reopen(mode: 'open' | 'probing', concurrency: number): void {
    this.#mode = mode
    this.#worker.concurrency = concurrency
    void this.#worker.resume()
    // Where BullMQ's main loop is ending at this very moment, for its last job is done, it passes for running and is not
    // started again: the worker would take no job for ever.
    setImmediate(() => {
      if (this.#mode !== 'closed' && this.#mode !== 'ended' && !this.#worker.isRunning()) void this.#worker.resume()
    })
  }

  #lookIn(remainingMs: number | null): void {
    clearTimeout(this.#timer)
    const delayMs = Math.min(remainingMs ?? Number.POSITIVE_INFINITY, this.#policy.laneLookMs)
    this.#timer = setTimeout(() => void this.look(), Math.ceil(delayMs))
  }

  #tell(lane: LaneState): void {
    if (lane.reason === this.#toldReason) return
    this.#toldReason = lane.reason
    if (lane.reason === null) this.#facts.emit('lane:opened', {})
    else this.#facts.emit('lane:held', { reason: lane.reason, detail: lane.detail, untilMs: lane.untilMs })
  }
}
