/**
 * The throttle of a lane: one budget of requests for all processes, and the lane's state.
 *
 *  - rate     permits are spaced evenly; a caller waits for its slot in place. First come, first served.
 *  - open     every run may send.
 *  - held     trouble that hits every run (a 429, a revoked key, an outage, a storm of dead letters) or an operator has
 *             closed the lane. Its end only moves away, until a probe succeeds or an operator opens it.
 *  - probing  the hold is over: one caller at a time has the probe's permit, another run each time.
 *
 * A hold voids the slots that were given out: a claim refuses a permit of an older epoch.
 */
import type { Redis } from 'ioredis'
import type { Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import { SCRIPTS } from './scripts.js'

export interface Rate {
  /** So many requests ... */
  readonly max: number
  /** ... in any such window. */
  readonly durationMs: number
}

/** The right to send one request. */
export interface Permit {
  /** How long to wait for its slot. */
  readonly waitMs: number
  /** The hold that it was given after; a claim refuses one of an older epoch. */
  readonly epoch: number
  /** The probe's number; empty: an ordinary permit. */
  readonly probe: string
  /** Why the lane was held, for a probe. */
  readonly heldReason: string
}

/** An answer that applied nothing, as the lane sees it. */
export interface Report {
  readonly kind: 'answered' | 'permanent' | 'transient' | 'throttled' | 'held' | 'unspent'
  readonly reason: string
  readonly message: string
  /** The wait as the server told it. */
  readonly waitMs?: number | undefined
}

export interface LaneState {
  readonly state: 'open' | 'held'
  readonly reason: string | null
  /** The message of the answer that closed it, or the operator's words. */
  readonly detail: string | null
  /** Milliseconds since 1970, by Redis's clock. */
  readonly sinceMs: number | null
  /** Null: open, or until an operator opens it. */
  readonly untilMs: number | null
  /** Until the next probe may go, or the present one is over; null: open, or until an operator opens it. */
  readonly remainingMs: number | null
  /** The hold is over and a probe is on its way. */
  readonly isProbing: boolean
  /** As the last worker to start has set it, for people. */
  readonly rate: string | null
  /** Between two permits; null where no worker has ever started. */
  readonly spacingMs: number | null
}

/** What a permit's slot costs beyond an even share of the window, so that no window ever holds one too many. */
const SPACING_RESERVE = 1.02

/** How long an operator's word stands that dead letters of a reason are no storm: long enough to let 10,000 go. */
const ACCEPTED_MS = 3_600_000

export class Throttle {
  readonly #redis: Redis
  readonly #lane: Lane
  readonly #policy: Policy
  /** The clock of Redis in microseconds, where a test hands it in; empty: Redis's own. */
  nowUs: number | '' = ''

  constructor(redis: Redis, lane: Lane, policy: Policy) {
    this.#redis = redis
    this.#lane = lane
    this.#policy = policy
  }

  /** Sets the lane's rate. Returns the one that was there before where it was another, for a warning. */
  async setRate(rate: Rate): Promise<string | null> {
    const text = `${rate.max} in ${rate.durationMs} ms`
    const before = (await SCRIPTS.setRate.run(this.#redis, this.#lane, {
      spacingUs: Math.ceil((rate.durationMs * 1000 * SPACING_RESERVE) / rate.max),
      rate: text,
      firstHoldUs: Math.round(this.#policy.firstHoldMs * 1000),
      longestProbePauseUs: Math.round(this.#policy.longestProbePauseMs * 1000),
    })) as string
    return before !== '' && before !== text ? before : null
  }

  /** Returns whether a permanent refusal must not be judged, since the lane is held for a storm of just those. */
  async report(runId: string, report: Report, permit: Pick<Permit, 'epoch' | 'probe'>): Promise<{ isStorm: boolean }> {
    const { maxHoldMs, outageRow, outageRuns } = this.#policy
    const [, isStorm] = (await SCRIPTS.reportAnswer.run(this.#redis, this.#lane, {
      nowUs: this.nowUs,
      channel: this.#lane.announcements,
      runId,
      kind: report.kind,
      reason: report.reason,
      detail: report.message,
      waitUs: report.waitMs === undefined ? '' : Math.round(report.waitMs * 1000),
      longestHoldUs: Math.round(maxHoldMs * 1000),
      epoch: permit.epoch,
      probe: permit.probe,
      outageRow,
      outageRuns,
    })) as [string, number]
    return { isStorm: isStorm === 1 }
  }

  /** The storm guard: returns whether a dead letter may be recorded, or its writes must stay pending. */
  async mayRecord(runId: string, reason: string, message: string): Promise<boolean> {
    const { stormRow } = this.#policy
    const reply = await SCRIPTS.countDeadLetter.run(this.#redis, this.#lane, {
      nowUs: this.nowUs,
      channel: this.#lane.announcements,
      runId,
      reason,
      detail: message,
      stormRow,
    })
    return reply === 1
  }

  /** An operator closes the lane, until an operator opens it. */
  async hold(why: string): Promise<void> {
    const channel = this.#lane.announcements
    await SCRIPTS.holdLane.run(this.#redis, this.#lane, { nowUs: this.nowUs, channel, detail: why })
  }

  /** An operator opens the lane. `acceptedReason`: dead letters of this reason are no storm for an hour. */
  async open(acceptedReason = ''): Promise<{ wasClosed: boolean }> {
    const channel = this.#lane.announcements
    const reply = await SCRIPTS.openLane.run(this.#redis, this.#lane, {
      nowUs: this.nowUs,
      channel,
      accepted: acceptedReason,
      acceptedUs: ACCEPTED_MS * 1000,
    })
    return { wasClosed: reply === 1 }
  }

  async read(): Promise<LaneState> {
    const reply = (await SCRIPTS.lookAtLane.run(this.#redis, this.#lane, {
      nowUs: this.nowUs,
      longestHoldUs: Math.round(this.#policy.maxHoldMs * 1000),
    })) as [string, string, string, string, string, string | number, string, string]
    const [state, reason, detail, sinceUs, untilUs, remainingUs, rate, spacingUs] = reply
    const isClosed = state !== 'open'
    const toMs = (us: string): number | null => (us === '' ? null : Math.round(Number(us) / 1000))
    return {
      state: isClosed ? 'held' : 'open',
      reason: isClosed ? reason : null,
      detail: isClosed ? detail || null : null,
      sinceMs: isClosed ? toMs(sinceUs) : null,
      untilMs: isClosed ? toMs(untilUs) : null,
      remainingMs: isClosed ? remainingMs(remainingUs) : null,
      isProbing: state === 'probing',
      rate: rate || null,
      spacingMs: spacingUs === '' ? null : Number(spacingUs) / 1000,
    }
  }
}

/** A hold's remaining time; null: until an operator ends it. */
export function remainingMs(us: string | number | undefined): number | null {
  const remaining = Number(us)
  return remaining < 0 ? null : remaining / 1000
}
