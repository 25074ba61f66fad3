import type { Redis } from 'ioredis'
import { isLockedOut } from './trouble.js'

/** What all who need a connection wait for, while it is not there: as many as they are, it has one pair of listeners. */
export class Opening {
  readonly #redis: Redis
  #next: Promise<void> | undefined

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /**
   * Resolves once the connection is ready; how long that may take is the caller's affair.
   * @param trouble what the connection has told last
   * @throws what a server answers that lets nobody in: to this try, or to the last one until the next begins
   */
  async wait(trouble: Error | undefined): Promise<void> {
    if (this.#redis.status === 'reconnecting' && isLockedOut(trouble)) throw trouble
    this.#next ??= this.#listen()
    await this.#next
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#next = undefined
        this.#redis.off('ready', succeed)
        this.#redis.off('error', look)
      }
      const succeed = () => {
        end()
        resolve()
      }
      const look = (error: Error) => {
        if (!isLockedOut(error)) return
        end()
        reject(error)
      }
      this.#redis.on('ready', succeed)
      this.#redis.on('error', look)
    })
  }
}
