/**
 * The sweeper finds pending runs whose flush job is lost (a producer died between merge and add, an operator removed the
 * job), and gives them a new one; a job that a clock, or a person, has put off further than it can have been meant to wait
 * runs now. It also sees to it that BullMQ goes on looking for the jobs of killed workers. A timer in every worker; a key
 * with a TTL lets one sweep at a time. It walks the index with a cursor that is kept in Redis, a page a tick; a tick that
 * reopened or hastened something is followed by the next at once.
 */
import type { Redis } from 'ioredis'
import { runIdOf } from '../dead-letters/dead-letter.js'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import type { FactEmitter } from '../events.js'
import { isWrongType } from '../flush-queue/flush-now.js'
import type { FlushQueue } from '../flush-queue/flush-queue.js'
import type { PendingUpdates } from '../pending/pending-updates.js'
import type { Policy } from '../policy.js'
import { cutTtl } from '../redis/cut-ttl.js'
import type { Lane } from '../redis/lane.js'
import type { MendingQueue } from '../redis/mending-queue.js'
import { isLate } from './late-job.js'

export interface SweeperParts {
  readonly redis: Redis
  readonly lane: Lane
  readonly policy: Policy
  readonly pending: PendingUpdates
  readonly flushQueue: FlushQueue
  readonly deadLetters: DeadLetters
  /** All that workers of the lane take jobs from. */
  readonly queues: readonly Pick<MendingQueue, 'cutStalledCheck'>[]
  readonly facts: FactEmitter
  /** In a hold there is no hurry, and all of the lane's commands count. */
  readonly isResting: () => boolean
}

const PAGE = 500
/** Of the time between two ticks: the key must be gone when the next tick of the same worker is due. */
const TURN_SHARE = 0.8
/** Redis's time is read in whole seconds, before the index is: a run opened meanwhile is not ahead of it. */
const CLOCK_READ_MS = 10_000
/** Dead letters come and go slowly, and reckoning them reads them all. */
const TICKS_A_RECKONING = 60

export class Sweeper {
  readonly #parts: SweeperParts
  #timer: NodeJS.Timeout | undefined
  /** The tick that is running; a stop waits for it. */
  #running: Promise<void> = Promise.resolve()
  #isStopped = false
  #ticks = 0

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  start(): void {
    this.#tickIn(0)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #tickIn(delayMs: number): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#tick()
    }, delayMs)
  }

  async #tick(): Promise<void> {
    const { redis, lane, policy, queues, facts, isResting } = this.#parts
    const turnMs = Math.ceil(policy.sweepEveryMs * TURN_SHARE)
    let mended = 0
    try {
      const isMyTurn = !isResting() && (await this.#takeTurn(turnMs))
      if (isMyTurn) {
        await Promise.all(queues.map((queue) => queue.cutStalledCheck(policy.stalledIntervalMs)))
        do {
          mended = await this.sweepPage()
          await redis.pexpire(lane.sweeper, turnMs)
        } while (mended > 0 && !this.#isStopped)
        if (this.#ticks++ % TICKS_A_RECKONING === 0) await this.#reckonLetters()
      }
    } catch (error) {
      facts.emit('redis:trouble', { error: error instanceof Error ? error : new Error(String(error)) })
    }
    this.#tickIn(policy.sweepEveryMs)
  }

  async #takeTurn(turnMs: number): Promise<boolean> {
    const { redis, lane } = this.#parts
    if ((await redis.set(lane.sweeper, '1', 'PX', turnMs, 'NX')) === 'OK') return true
    await cutTtl(redis, lane.sweeper, turnMs)
    return false
  }

  /** One page of the index from where the last one ended. Returns how many runs were given a new job, or theirs now. */
  async sweepPage(): Promise<number> {
    const { redis, lane, policy } = this.#parts
    const [seconds] = await redis.time()
    const nowMs = Number(seconds) * 1000
    const overdueBeforeMs = nowMs - 2 * policy.coalesceWindowMs - policy.overdueSlackMs
    const [cursorScore, cursorRun] = splitCursor(await redis.get(lane.sweepCursor))
    // Runs of one millisecond stand in the order of their ids, so those up to the cursor's are cut off by hand.
    const page = await redis.zrangebyscore(lane.index, cursorScore, overdueBeforeMs, 'WITHSCORES', 'LIMIT', 0, PAGE)
    const overdue = indexed(page).filter(({ runId, score }) => score !== cursorScore || runId > cursorRun)
    const last = overdue.at(-1)
    if (page.length < 2 * PAGE) await redis.del(lane.sweepCursor)
    else if (last) await redis.set(lane.sweepCursor, `${last.score} ${last.runId}`)
    // More runs than a page holds were opened in that one millisecond: the next one is good enough.
    else await redis.set(lane.sweepCursor, `${Number(cursorScore) + 1} `)
    // A clock set back leaves runs that were opened later than now: they would be overdue only when it has caught up.
    const ahead = await redis.zrangebyscore(lane.index, nowMs + CLOCK_READ_MS, '+inf', 'WITHSCORES', 'LIMIT', 0, PAGE)
    return await this.#mend([...overdue, ...indexed(ahead)], nowMs)
  }

  async #mend(runs: readonly IndexedRun[], nowMs: number): Promise<number> {
    const { redis, lane, pending, flushQueue, facts } = this.#parts
    let hastened = 0
    const reopened = await Promise.all(
      runs.map(async ({ runId, score }, place) => {
        // Whatever hides from the cheap look is the oldest in the end.
        const look = place === 0 ? 'isAlive' : 'isThere'
        try {
          const generation = await redis.hget(lane.pending(runId), 'generation')
          if (generation !== null && (await flushQueue[look](runId, generation))) {
            if (await this.#hasten(runId, generation, Number(score), nowMs)) hastened++
            return []
          }
          const opened = await pending.reopen(runId, generation)
          return opened === null ? [] : [{ runId, generation: opened, delayMs: 0 }]
        } catch (error) {
          if (!isWrongType(error)) throw error
          const message = `${lane.pending(runId)} holds no pending update; delete or rename that key`
          facts.emit('redis:trouble', { error: new Error(message, { cause: error }) })
          return []
        }
      }),
    )
    const jobs = reopened.flat()
    await flushQueue.add(jobs)
    for (const { runId, generation } of jobs) facts.emit('run:reopened', { runId, generation })
    return jobs.length + hastened
  }

  /**
   * Lets a job run now that is late. Returns whether it had waited for its window: one that is put off again and again
   * must not keep this tick going.
   */
  async #hasten(runId: string, generation: string, openedMs: number, redisMs: number): Promise<boolean> {
    const { policy, flushQueue } = this.#parts
    const job = await flushQueue.findDelayed(runId, generation)
    if (!job || !isLate(job, openedMs, { redisMs, localMs: Date.now() }, policy)) return false
    await flushQueue.promote(runId, generation)
    return !job.wasTaken
  }

  /** Counts the letters that are gone, and gives `sent` its TTL back where a run's last letter is. */
  async #reckonLetters(): Promise<void> {
    const { redis, lane, pending, deadLetters } = this.#parts
    const lettered = await redis.zrange(lane.lettered, '0', '-1', 'WITHSCORES')
    await deadLetters.reckon()
    const present = new Set((await redis.zrange(lane.deadLetterIds, '0', '-1')).map(runIdOf))
    for (let i = 0; i + 1 < lettered.length; i += 2) {
      const [runId = '', score = ''] = lettered.slice(i, i + 2)
      if (!present.has(runId)) await pending.forgetSent(runId, Number(score))
    }
  }
}

interface IndexedRun {
  readonly runId: string
  /** When its generation was opened (ms), as the index has it. */
  readonly score: string
}

/** What Redis tells of a sorted set WITHSCORES. */
function indexed(page: readonly string[]): IndexedRun[] {
  const runs: IndexedRun[] = []
  for (let i = 0; i + 1 < page.length; i += 2) {
    const [runId = '', score = ''] = page.slice(i, i + 2)
    runs.push({ runId, score })
  }
  return runs
}

function splitCursor(cursor: string | null): [score: string, runId: string] {
  const [, score = '-inf', runId = ''] = /^(\S+) (.*)$/.exec(cursor ?? '') ?? []
  return [score, runId]
}
