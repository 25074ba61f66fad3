import type { Redis } from 'ioredis'
import type { Lane } from '../redis/lane.js'
import type { Session } from './token.js'

/**
 * The sessions that somebody has signed out of: a copied cookie must not outlive that. In Redis, since several processes
 * may serve a lane; each is remembered until it would have ended by itself.
 */
export class EndedSessions {
  readonly #redis: Redis
  readonly #lane: Lane

  constructor(redis: Redis, lane: Lane) {
    this.#redis = redis
    this.#lane = lane
  }

  async add({ id, untilMs }: Session, nowMs: number): Promise<void> {
    await this.#redis.set(this.#lane.endedSession(id), '1', 'PX', Math.max(1, untilMs - nowMs))
  }

  async has({ id }: Session): Promise<boolean> {
    return (await this.#redis.exists(this.#lane.endedSession(id))) === 1
  }
}
