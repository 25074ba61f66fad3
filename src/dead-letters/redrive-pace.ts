/**
 * The pace of redrives. A retry of ten thousand letters would put as many runs in front of what comes in live, so a
 * letter waits for its turn BEFORE its writes are merged: until then it stays a letter, and its run takes live updates
 * as ever. All redrives of a lane, from any process, take half of its rate at most; a single one never waits.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Lane } from '../redis/lane.js'
import { SCRIPTS } from './scripts.js'

const PERMITS_A_SLOT = 2
/** More than can wait at a time: each worker process waits for ten slots at most, each command for one. */
const FURTHEST_SLOTS = 200

export class RedrivePace {
  readonly #redis: Redis
  readonly #lane: Lane

  constructor(redis: Redis, lane: Lane) {
    this.#redis = redis
    this.#lane = lane
  }

  /**
   * Waits for the next turn.
   * @throws AbortError where `signal` ends the wait.
   */
  async takeTurn(signal?: AbortSignal): Promise<void> {
    const { throttle, redrivePace: pace } = this.#lane
    const waitUs = await SCRIPTS.takeRedriveSlot.run(
      this.#redis,
      { throttle, pace },
      { nowUs: '', permitsASlot: PERMITS_A_SLOT, furthestSlots: FURTHEST_SLOTS },
    )
    const waitMs = Number(waitUs) / 1000
    if (waitMs > 0) await delay(waitMs, undefined, { ...(signal && { signal }) })
  }
}
