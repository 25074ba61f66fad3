/**
 * The way of updates into Redis, one batch at a time. What comes while a batch is on its way goes with the next one,
 * together: so the order of the calls is the order of arrival, and many small calls cost as much as one large one.
 *
 *  - Each call has a deadline. It ends by then, and what it asked for does not happen later: a merge is told the latest
 *    time of Redis at which it may still run, since it may lie in a socket's buffer while Redis is stopped.
 *  - A batch that came too late was surely not taken, and is sent once more, with the time that its answer told.
 */
import type { Redis } from 'ioredis'
import { ConfigurationError, RedisUnavailableError } from '../errors.js'
import type { FactEmitter } from '../events.js'
import { refuseOtherLayout } from '../pending/layout.js'
import { type Merged, type MergeReply, type MergeUpdate, mergeUpdates } from '../pending/merge.js'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import { describeRedis } from '../redis/redis-source.js'
import { MemoryWatch } from './memory-watch.js'
import { RedisClock } from './redis-clock.js'

/** As many updates as one script merges: more would keep Redis from others for too long. */
const BATCH_SIZE = 500

/** A clock that was set back is worth a warning from here on. */
const CLOCK_AHEAD_WARNING_MS = 5_000

/** Timers may fire a moment early, and a failure must not be told before the merge's time is over. */
const TIMER_SLACK_US = 5_000

/** Told too late twice, the batch would need a Redis that answers within what is left of its deadline. */
const TOO_LATE = 'Redis took the update up too late, so it was not taken'

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
}

export class MergeQueue {
  readonly #redis: Redis
  readonly #lane: Lane
  readonly #policy: Policy
  readonly #limits: MergeLimits
  readonly #facts: FactEmitter
  readonly #clock = new RedisClock()
  readonly #memory: MemoryWatch
  /** In the order of the calls; their deadlines rise. */
  #waiting: Waiting[] = []
  #isRunning = false
  #warnedOfClock = false
  /** What the connection told last; undefined while there is one. */
  #trouble: Error | undefined

  constructor(redis: Redis, lane: Lane, policy: Policy, limits: MergeLimits, facts: FactEmitter) {
    this.#redis = redis
    this.#lane = lane
    this.#policy = policy
    this.#limits = limits
    this.#facts = facts
    this.#memory = new MemoryWatch(redis, limits.maxRedisMemoryPercent)
    // The next connection may lead to another server, with another clock.
    redis.on('close', () => this.#clock.forget())
    redis.on('ready', () => {
      this.#trouble = undefined
    })
  }

  /** Why the connection was lost or never made: told to the calls that fail for it. */
  noteTrouble(error: Error): void {
    this.#trouble = error
  }

  /**
   * Merges at most BATCH_SIZE updates, all at once.
   * @throws RedisUnavailableError by the deadline.
   */
  merge(updates: readonly MergeUpdate[], deadline: number): Promise<readonly Merged[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ updates, deadline, resolve, reject })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // Calls of the same tick go together.
    await null
    while (this.#waiting.length > 0) await this.#mergeBatch(this.#takeBatch())
    this.#isRunning = false
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

  /** Never throws: each of the calls is told on its own. */
  async #mergeBatch(batch: readonly Waiting[]): Promise<void> {
    let left = batch
    let wasSent = false
    try {
      for (let attempt = 1; left.length > 0; attempt++) {
        // What came too late before was not taken.
        wasSent = false
        const reply = await this.#send(left, () => {
          wasSent = true
        })
        this.#clock.note(reply.nowUs)
        if (reply.kind === 'merged') {
          this.#noteClock(reply.clockAheadMs)
          return hand(left, reply.results)
        }
        // Those whose time is not over have another chance, once: the clock is known better now.
        const late = attempt > 1 ? left : left.filter(({ deadline }) => deadline <= performance.now())
        left = left.filter((call) => !late.includes(call))
        for (const call of late) call.reject(new RedisUnavailableError(`${TOO_LATE}; send it again`))
      }
    } catch (error) {
      if (error instanceof ConfigurationError) {
        for (const call of left) call.reject(error)
        return
      }
      const cause = error instanceof Error ? error : new Error(String(error))
      // Where the connection was cut or a command timed out early, the merge may still lie in a socket's buffer, and run
      // until its time is over: nobody is told of a failure before.
      await until(Math.min(...left.map(({ deadline }) => deadline)))
      for (const call of left) call.reject(this.#unavailable(cause, wasSent))
    }
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
    while (this.#redis.status !== 'ready' || !this.#clock.isKnown) {
      if (this.#redis.status === 'ready') {
        await refuseOtherLayout(this.#redis, this.#lane)
        const [seconds, microseconds] = await this.#redis.time()
        this.#clock.note(Number(seconds) * 1_000_000 + Number(microseconds))
        await this.#memory.look()
      } else {
        await new Promise<void>((resolve) => this.#redis.once('ready', resolve))
      }
    }
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
    return new RedisUnavailableError(
      `Redis at ${describeRedis(this.#redis)} did not answer in time (${why}). The update ${fate}; sending it again is safe.`,
      { cause },
    )
  }
}

function hand(calls: readonly Waiting[], results: readonly Merged[]): void {
  let start = 0
  for (const { updates, resolve } of calls) {
    resolve(results.slice(start, start + updates.length))
    start += updates.length
  }
}

function until(moment: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, moment - performance.now())))
}

/** Runs a task, and gives up on it at a moment of the monotonic clock. What it still does then must do no harm. */
export async function before<Result>(deadline: number, task: () => Promise<Result>): Promise<Result> {
  // Before the timer: where it throws at once, there is nothing to give up on.
  const running = task()
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('time-out')), Math.max(0, deadline - performance.now()))
  })
  // Once the time is over nobody listens to it any more.
  running.catch(() => {})
  try {
    return await Promise.race([running, timeout])
  } finally {
    clearTimeout(timer)
  }
}
