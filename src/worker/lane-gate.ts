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
  /** What was last told as a fact, so that each change is told once. */
  #toldReason: string | null = null

  constructor(worker: Worker, throttle: Throttle, policy: Policy, facts: FactEmitter) {
    this.#worker = worker
    this.#throttle = throttle
    this.#policy = policy
    this.#facts = facts
    this.#concurrency = worker.concurrency
  }

  /** Whether the worker is kept from taking jobs: the sweeper rests then. */
  get isClosed(): boolean {
    return this.#mode !== 'open'
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
   */
  async close(): Promise<void> {
    if (this.#mode === 'ended') return
    this.#mode = 'closed'
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
    if (lane.state === 'open') {
      this.#reopen('open', this.#concurrency)
    } else if (lane.remainingMs === 0 && !lane.isProbing) {
      this.#reopen('probing', PROBING_CONCURRENCY)
      this.#lookIn(this.#policy.laneLookMs)
    } else if (this.#mode === 'closed') {
      this.#lookIn(lane.remainingMs)
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
