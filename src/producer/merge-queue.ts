/**
 * The way of updates into Redis, in the order of the calls. Calls of the same moment go together, so many small ones cost
 * as much as a large one. A few batches are on their way at once, so that Redis has the next one when it is done with
 * one; it takes them up in the order in which they were sent, and that is the order of arrival.
 *
 *  - Each call has a deadline. It ends by then, and what it asked for does not happen later: a merge is told the latest
 *    time of Redis at which it may still run, since it may lie in a socket's buffer while Redis is stopped. A clock that
 *    was set back before does not count, for it was asked a few seconds ago at most. One that is set back or stands still
 *    meanwhile (a paused machine) does, for what Redis's machine has received; the rest is dropped with the connection.
 *  - A batch that came too late was surely not taken, nor was one whose script Redis had forgotten. It is sent once more,
 *    with the time that its answer told, once no other is on its way: never after one that came behind it.
 *  - Nor was one that a replica refused: a primary that was demoted. The connection is made anew, and the batch is sent in
 *    the same way for as long as its time is not over.
 *  - Nor was one that found Redis full, which refuses a script at its first write only. It is told so at once, as overloaded,
 *    and never sent again, so it overtakes nothing. The same goes for a user without rights: what Redis has answered does not
 *    happen later. Only where the script itself met a missing right, the updates before it may have been taken.
 *  - What was sent, and got no answer, may still happen until its deadline: nothing is sent before, so nothing overtakes it.
 *    Its connection is dropped, and those that were sent behind it get no answer either.
 *  - Where the server lets nobody in with this password, nothing was sent, and nobody has to wait to be told.
 */
import type { Redis } from 'ioredis'
import { ConfigurationError, RedisUnavailableError } from '../errors.js'
import type { FactEmitter } from '../events.js'
import { refuseOtherLayout } from '../pending/layout.js'
import { FULL, loadMerge, type Merged, type MergeReply, type MergeUpdate, mergeUpdates } from '../pending/merge.js'
import type { Policy } from '../policy.js'
import { abandon } from '../redis/connection.js'
import { before, until } from '../redis/deadline.js'
import type { Lane } from '../redis/lane.js'
import { Opening } from '../redis/opening.js'
import { describeRedis } from '../redis/redis-source.js'
import { isAnswer, isFull, isLockedOut, isNoPermission, isOfScript, isReadOnly, lockedOut } from '../redis/trouble.js'
import { MemoryWatch } from './memory-watch.js'
import { RedisClock } from './redis-clock.js'

/** As many updates as go together: more would keep Redis from others for longer, and waiting for its answer. */
const BATCH_SIZE = 64
const BATCHES_ON_THE_WAY = 5

/** A clock that was set back is worth a warning from here on. */
const CLOCK_AHEAD_WARNING_MS = 5_000

/** Timers may fire a moment early, and a failure must not be told before the merge's time is over. */
const TIMER_SLACK_US = 5_000

export interface MergeLimits {
  /** At this many pending runs, no new one is taken; 0: no limit. */
  readonly maxPendingRuns: number
  readonly maxRedisMemoryPercent: number
}

interface Waiting {
  readonly updates: readonly MergeUpdate[]
  /** On the monotonic clock. */
  readonly deadline: number
  readonly resolve: (merged: readonly Merged[]) => void
  readonly reject: (error: RedisUnavailableError | ConfigurationError) => void
  readonly isSecondTry: boolean
}

export class MergeQueue {
  readonly #redis: Redis
  readonly #lane: Lane
  readonly #policy: Policy
  readonly #limits: MergeLimits
  readonly #facts: FactEmitter
  readonly #clock = new RedisClock()
  readonly #memory: MemoryWatch
  readonly #opening: Opening
  /** In the order of the calls; their deadlines rise. */
  #waiting: Waiting[] = []
  /** Surely not taken: they go again, before all others, once nothing is on its way. */
  readonly #putOff = new Set<Waiting>()
  #isSending = false
  #onTheWay = 0
  /** Of these, how many may still happen though they have failed. */
  #lost = 0
  #isLoaded = false
  #warnedOfClock = false
  /** What the connection told last; undefined while there is one. */
  #trouble: Error | undefined
  constructor(redis: Redis, lane: Lane, policy: Policy, limits: MergeLimits, facts: FactEmitter) {
    this.#redis = redis
    this.#lane = lane
    this.#policy = policy
    this.#limits = limits
    this.#facts = facts
    this.#opening = new Opening(redis)
    this.#memory = new MemoryWatch(redis, limits.maxRedisMemoryPercent)
    // The next connection may lead to another server, with another clock.
    redis.on('close', () => {
      this.#clock.forget()
      this.#isLoaded = false
    })
    redis.on('ready', () => {
      this.#trouble = undefined
    })
  }

  /** Why the connection was lost or never made: told to the calls that fail for it. */
  noteTrouble(error: Error): void {
    this.#trouble = error
  }

  /**
   * Merges updates, all at once.
   * @throws RedisUnavailableError by the deadline.
   */
  merge(updates: readonly MergeUpdate[], deadline: number): Promise<readonly Merged[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ updates, deadline, resolve, reject, isSecondTry: false })
      void this.#sendAll()
    })
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    // Whatever is about to call goes together.
    await new Promise((resolve) => process.nextTick(resolve))
    while (this.#waiting.length > 0 && this.#mayFollow()) {
      const batch = this.#takeBatch()
      this.#onTheWay++
      await new Promise<void>((onSent) => {
        void this.#mergeBatch(batch, onSent).then(() => {
          onSent()
          this.#noteEnd()
        })
      })
    }
    this.#isSending = false
  }

  #mayFollow(): boolean {
    return this.#onTheWay < BATCHES_ON_THE_WAY && this.#putOff.size === 0 && this.#lost === 0
  }

  #noteEnd(): void {
    this.#onTheWay--
    if (this.#onTheWay === 0) {
      this.#waiting.unshift(...[...this.#putOff].map((call) => ({ ...call, isSecondTry: true })))
      this.#putOff.clear()
    }
    void this.#sendAll()
  }

  #takeBatch(): Waiting[] {
    let size = 0
    let count = 0
    for (const { updates } of this.#waiting) {
      if (count > 0 && size + updates.length > BATCH_SIZE) break
      size += updates.length
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** Never throws: each of the calls is told on its own. `onSent`: what is sent from now on comes behind. */
  async #mergeBatch(batch: readonly Waiting[], onSent: () => void): Promise<void> {
    let sentOn: Redis['stream'] | undefined
    try {
      const reply = await this.#send(batch, () => {
        sentOn = this.#redis.stream
        onSent()
      })
      if (reply.kind !== 'not_loaded') this.#clock.note(reply.nowUs)
      if (reply.kind === 'merged') {
        this.#noteClock(reply.clockAheadMs)
        this.#refusePutOff()
        return hand(batch, reply.results)
      }
      if (reply.kind === 'not_loaded') this.#isLoaded = false
      for (const call of batch) this.#tryAgain(call)
    } catch (error) {
      if (isReadOnly(error)) {
        for (const call of batch) this.#putOffUntilDeadline(call, this.#unavailable(error, false))
        return
      }
      if (isFull(error)) {
        for (const call of batch) call.resolve(call.updates.map(() => FULL))
        return
      }
      if (isNoPermission(error)) {
        for (const call of batch) call.reject(this.#notPermitted(error, sentOn !== undefined))
        return
      }
      if (error instanceof ConfigurationError) {
        for (const call of batch) call.reject(error)
        return
      }
      const cause = error instanceof Error ? error : new Error(String(error))
      // Where the connection was cut or a command timed out early, the merge may still lie in a socket's buffer, and run
      // until its time is over: nobody is told of a failure before.
      const wasSent = sentOn !== undefined
      if (sentOn && !isAnswer(cause)) abandon(sentOn)
      if (!wasSent && isLockedOut(cause)) {
        for (const call of batch) call.reject(this.#unavailable(cause, false))
        return
      }
      if (wasSent) this.#lost++
      await until(Math.min(...batch.map(({ deadline }) => deadline)))
      if (wasSent) this.#lost--
      for (const call of batch) call.reject(this.#unavailable(cause, wasSent))
    }
  }

  /** Once, and where its time is not over. */
  #tryAgain(call: Waiting): void {
    if (call.isSecondTry) call.reject(notTaken())
    else this.#putOffUntilDeadline(call, notTaken())
  }

  #putOffUntilDeadline(call: Waiting, failure: RedisUnavailableError): void {
    if (call.deadline <= performance.now()) {
      call.reject(failure)
      return
    }
    this.#putOff.add(call)
    // What it waits for may hang for longer.
    void until(call.deadline).then(() => {
      if (this.#putOff.delete(call)) call.reject(failure)
    })
  }

  /** One that was sent behind them was taken: they must not come after it. */
  #refusePutOff(): void {
    for (const call of this.#putOff) call.reject(notTaken())
    this.#putOff.clear()
  }

  async #send(calls: readonly Waiting[], onSent: () => void): Promise<MergeReply> {
    const deadline = Math.min(...calls.map((call) => call.deadline))
    return await before(deadline, async () => {
      await this.#becomeReady()
      const notAfterUs = this.#clock.atUs(deadline)
      if (notAfterUs === undefined) throw new Error('the connection was lost')
      onSent()
      return await mergeUpdates(
        this.#redis,
        this.#lane,
        this.#policy,
        calls.flatMap(({ updates }) => updates),
        {
          notAfterUs: notAfterUs - TIMER_SLACK_US,
          maxPendingRuns: this.#limits.maxPendingRuns,
          memoryIsShort: this.#memory.isShort,
        },
      )
    })
  }

  /** Waits until the connection is there and has told Redis's time. The deadline is the caller's affair. */
  async #becomeReady(): Promise<void> {
    while (!this.#isOpen || !this.#isLoaded || !this.#clock.isFresh) {
      if (this.#isOpen) await this.#prepare()
      else await this.#opening.wait(this.#trouble)
    }
  }

  async #prepare(): Promise<void> {
    const { stream } = this.#redis
    try {
      if (!this.#isLoaded) {
        await refuseOtherLayout(this.#redis, this.#lane)
        await loadMerge(this.#redis)
        await this.#memory.look()
        this.#isLoaded = true
      }
      const [seconds, microseconds] = await this.#redis.time()
      this.#clock.note(Number(seconds) * 1_000_000 + Number(microseconds))
    } catch (error) {
      // A server may be gone without a word, and its address lead to another one.
      if (!isAnswer(error) && !(error instanceof ConfigurationError)) abandon(stream)
      throw error
    }
  }

  /** One that we have ended stays `ready` until Redis has ended it, too. */
  get #isOpen(): boolean {
    return this.#redis.status === 'ready' && this.#redis.stream.writable
  }

  #noteClock(aheadMs: number): void {
    const isAhead = aheadMs > CLOCK_AHEAD_WARNING_MS
    if (isAhead && !this.#warnedOfClock) this.#facts.emit('clock:ahead', { aheadMs })
    this.#warnedOfClock = isAhead
  }

  #unavailable(error: Error, wasSent: boolean): RedisUnavailableError {
    const cause = this.#trouble ?? error
    // Several addresses that all failed have no message, but a code.
    const why = cause.message || ('code' in cause ? cause.code : cause.name)
    const fate = wasSent ? 'may or may not have been taken' : 'was not taken'
    if (!wasSent && isLockedOut(cause)) {
      const message = `Redis at ${describeRedis(this.#redis)} ${lockedOut(cause)}. The update was not taken.`
      return new RedisUnavailableError(message, { cause })
    }
    return new RedisUnavailableError(
      `Redis at ${describeRedis(this.#redis)} did not answer in time (${why}). The update ${fate}; sending it again is safe.`,
      { cause },
    )
  }

  #notPermitted(error: Error, wasSent: boolean): RedisUnavailableError {
    const fate = wasSent && isOfScript(error) ? 'may or may not have been taken' : 'was not taken'
    return new RedisUnavailableError(
      `Redis at ${describeRedis(this.#redis)} refuses this user (${error.message.trim()}). The update ${fate}; give the user the right (ACL), and send it again, which is safe.`,
      { cause: error },
    )
  }
}

function notTaken(): RedisUnavailableError {
  return new RedisUnavailableError('Redis took the update up too late, so it was not taken; send it again')
}

function hand(calls: readonly Waiting[], results: readonly Merged[]): void {
  let start = 0
  for (const { updates, resolve } of calls) {
    resolve(results.slice(start, start + updates.length))
    start += updates.length
  }
}
