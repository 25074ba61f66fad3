import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { DeadLetters } from '../../dead-letters/dead-letters.js'
import type { FlushQueue } from '../../flush-queue/flush-queue.js'
import type { Lane } from '../../redis/lane.js'
import type { LaneState, Throttle } from '../../throttle/throttle.js'

/** The lane as an operator would see it. */
export interface LaneView {
  readonly pendingRuns: number
  readonly deadLetters: number
  readonly state: LaneState
}

export interface LaneParts {
  readonly redis: Redis
  readonly lane: Lane
  readonly throttle: Throttle
  readonly flushQueue: FlushQueue
  readonly deadLetters: DeadLetters
}

/** The shortest hold lasts a second, so none is missed. */
const LOOK_EVERY_MS = 200

/** Longer than the longest pause between two probes: by then something is wrong. */
const STANDSTILL_MS = 90_000

/** Looks at the lane again and again, and counts its holds: each worker would tell the same one. */
export class LaneWatch {
  readonly #parts: LaneParts
  /** When the hold of the last look began; null: the lane was open. */
  #heldSinceMs: number | null = null
  /** Why the lane was held, once for each hold. */
  readonly holds: string[] = []

  constructor(parts: LaneParts) {
    this.#parts = parts
  }

  async look(): Promise<LaneView> {
    const { redis, lane, throttle, deadLetters } = this.#parts
    const [pendingRuns, counts, state] = await Promise.all([
      redis.zcard(lane.index),
      deadLetters.counts(),
      throttle.read(),
    ])
    if (state.sinceMs !== null && state.sinceMs !== this.#heldSinceMs) this.holds.push(state.reason ?? 'unknown')
    this.#heldSinceMs = state.sinceMs
    return { pendingRuns, deadLetters: counts.recorded, state }
  }

  /** Tells each look, until the signal. @throws AbortError, and what ioredis throws */
  async follow(onLook: (view: LaneView) => void, signal: AbortSignal): Promise<never> {
    for (;;) {
      onLook(await this.look())
      await sleep(LOOK_EVERY_MS, undefined, { signal })
    }
  }

  /**
   * Waits until nothing is pending or on its way, and every dead letter is in its place.
   * @param progress anything that grows as long as something happens
   * @returns false where nothing has happened for longer than the lane ever rests
   * @throws AbortError, and what ioredis throws
   */
  async drain(progress: () => number, signal: AbortSignal): Promise<boolean> {
    let last = progress()
    let movedAt = performance.now()
    while (!(await this.#isDrained())) {
      if (progress() !== last) {
        last = progress()
        movedAt = performance.now()
      }
      if (performance.now() - movedAt > STANDSTILL_MS) return false
      await sleep(LOOK_EVERY_MS, undefined, { signal })
    }
    return true
  }

  async #isDrained(): Promise<boolean> {
    const { redis, lane, flushQueue, deadLetters } = this.#parts
    if ((await redis.zcard(lane.index)) > 0) return false
    const [jobs, letters] = await Promise.all([
      flushQueue.queue.getJobCountByTypes('waiting', 'active', 'delayed'),
      deadLetters.queue.getJobCountByTypes('waiting', 'active', 'delayed'),
    ])
    return jobs + letters === 0
  }
}
