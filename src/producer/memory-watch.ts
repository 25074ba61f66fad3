import type { Redis } from 'ioredis'

const LOOK_EVERY_MS = 5_000

/**
 * Whether Redis is near its memory limit. Looked at every few seconds, and only while there are updates to take in: a
 * producer that idles asks nothing.
 */
export class MemoryWatch {
  readonly #redis: Redis
  readonly #maxPercent: number
  #lookedAt = Number.NEGATIVE_INFINITY
  #isShort = false

  constructor(redis: Redis, maxPercent: number) {
    this.#redis = redis
    this.#maxPercent = maxPercent
  }

  get isShort(): boolean {
    if (performance.now() - this.#lookedAt > LOOK_EVERY_MS) {
      this.#lookedAt = performance.now()
      // Not waited for: the next batch knows. Where Redis is away, the batch itself tells.
      void this.#look().catch(() => {})
    }
    return this.#isShort
  }

  /** Looks now, for the first batch: a process that sends one batch and ends must be told, too. */
  async look(): Promise<void> {
    this.#lookedAt = performance.now()
    await this.#look()
  }

  async #look(): Promise<void> {
    const info = await this.#redis.info('memory')
    const read = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
    const limit = read('maxmemory')
    this.#isShort = limit > 0 && (read('used_memory') / limit) * 100 >= this.#maxPercent
  }
}
