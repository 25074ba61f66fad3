/**
 * The pending updates of a lane: one merged update a run, from its first write until it was sent.
 *
 *  - merge      takes updates in; the newest write of each field stays (./merge.ts)
 *  - take turn  a permit of the throttle, and the claim with it where its slot is free now
 *  - claim      hands out what is pending, and a lease: only its owner may send
 *  - settle     what was applied leaves, where it is still what was sent
 *  - set aside  the same for what became a dead letter
 *  - defer      a try ended, the job will come again
 *  - release    the job ends: gone, or one new generation for what came in meanwhile; in one step with the settle where
 *               that was all there is to send
 *  - reopen     the job was lost: a new generation for the same writes
 *
 * Each is one atomic script. Nothing is moved out before a PATCH, so a crash between any two leaves everything in place.
 */
import type { Redis } from 'ioredis'
import { leaseMs, type Policy } from '../policy.js'
import type { Lane } from '../redis/lane.js'
import type { FieldPath } from '../run/fields.js'
import type { Permit } from '../throttle/throttle.js'
import { type ClaimReply, readClaimReply, readTurn, type TurnReply } from './claim.js'
import type { Write } from './entry.js'
import { readList } from './merge.js'
import { type EndedWrites, toAnnouncement } from './outcome.js'
import { SCRIPTS } from './scripts.js'

/** One run's job: which generation of which run, and the call of the processor that asks. */
export interface Holder {
  readonly runId: string
  readonly generation: string
  readonly owner: string
}

/** What a probe may take beyond its request. */
const PROBE_SLACK_MS = 5_000

/** `counted`: towards the attempts, if another run was applied meanwhile; `held`: judged at the next claim. */
export type Failure = 'none' | 'uncounted' | 'counted' | 'held'

export type Released =
  | { readonly kind: 'gone' | 'superseded' | 'leased' }
  | {
      readonly kind: 'opened'
      readonly generation: string
      readonly delayMs: number
      /** Of the first update that is left; absent where none is traced. */
      readonly origin?: string
    }

/** A PATCH that was applied. */
export interface Applied {
  readonly writes: readonly (Write & { readonly stamp: string })[]
  /** Kept with the run, for people. */
  readonly outcome: object
  /** Of the permit that it was sent by; empty: an ordinary one. */
  readonly probe: string
  /** Told to those who wait for the writes; undefined: nobody does. */
  readonly ended?: EndedWrites | undefined
}

export interface Redriven {
  readonly generation: string | null
  readonly addJob: boolean
  readonly acceptedFields: readonly FieldPath[]
  readonly staleFields: readonly FieldPath[]
  readonly conflictFields: readonly FieldPath[]
  readonly heldClientKey: string | null
}

const msToUs = (ms: number): number => Math.round(ms * 1000)

export class PendingUpdates {
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

  async takeTurn({ runId, generation, owner }: Holder): Promise<TurnReply> {
    const { requestTimeoutMs, maxHoldMs, otherRunPauseMs } = this.#policy
    const reply = await SCRIPTS.takeTurn.run(this.#redis, this.#keys(runId), {
      nowUs: this.nowUs,
      runId,
      generation,
      owner,
      leaseUs: msToUs(leaseMs(this.#policy)),
      longestHoldUs: msToUs(maxHoldMs),
      probeTtlUs: msToUs(requestTimeoutMs + PROBE_SLACK_MS),
      otherRunPauseUs: msToUs(otherRunPauseMs),
    })
    return readTurn(reply as string[])
  }

  /** For a permit whose slot has come. */
  async claim({ runId, generation, owner }: Holder, permit: Pick<Permit, 'epoch' | 'probe'>): Promise<ClaimReply> {
    const reply = await SCRIPTS.claimRun.run(this.#redis, this.#keys(runId), {
      nowUs: this.nowUs,
      generation,
      owner,
      leaseUs: msToUs(leaseMs(this.#policy)),
      epoch: permit.epoch,
      probe: permit.probe,
    })
    return readClaimReply(reply as string[])
  }

  /** What was applied leaves; the job goes on. */
  async settle(runId: string, applied: Applied): Promise<void> {
    await SCRIPTS.settleWrites.run(this.#redis, this.#keys(runId), this.#settling(runId, applied), listOf(applied))
  }

  /** What was applied leaves, and the job ends. `updates` and `origins` as in `release`. */
  async settleAndRelease(
    holder: Holder,
    applied: Applied,
    updates: number,
    origins: readonly string[] = [],
  ): Promise<Released> {
    return readReleased(
      await SCRIPTS.settleAndRelease.run(
        this.#redis,
        this.#keys(holder.runId),
        { ...this.#settling(holder.runId, applied), ...this.#releasing(holder, updates, origins) },
        listOf(applied),
      ),
    )
  }

  async setAside(
    runId: string,
    writes: readonly { path: string; stamp: string }[],
    outcome: object,
    ended?: EndedWrites,
  ): Promise<void> {
    await SCRIPTS.setAsideWrites.run(
      this.#redis,
      this.#keys(runId),
      { outcome: JSON.stringify(outcome), ...this.#announcement(ended) },
      writes.flatMap(({ path, stamp }) => [path, stamp]),
    )
  }

  /** Before a dead letter of the run is recorded: what was sent is remembered for as long as the run has one. */
  async keepSent(runId: string): Promise<void> {
    await SCRIPTS.keepSent.run(this.#redis, this.#keys(runId), { nowUs: this.nowUs, runId })
  }

  /** Where the run's last letter is gone. `letteredAtMs`: as the caller saw it before it looked for letters. */
  async forgetSent(runId: string, letteredAtMs: number): Promise<boolean> {
    const { sentTtlMs } = this.#policy
    return (await SCRIPTS.forgetSent.run(this.#redis, this.#keys(runId), { runId, letteredAtMs, sentTtlMs })) === 1
  }

  /**
   * `restMs`: how long the run keeps its lease after an end that says nothing of whether the PATCH was applied.
   * `trouble`: what went wrong, for the dead letter that may come of it. `triedUs`: when what was sent was claimed.
   */
  async defer(
    { runId, generation, owner }: Holder,
    {
      failure,
      restMs = 0,
      trouble,
      triedUs,
    }: { failure: Failure; restMs?: number; trouble?: object; triedUs?: number },
  ): Promise<{ failures: number; tries: number }> {
    const [, failures = 0, tries = 0] = (await SCRIPTS.deferRun.run(this.#redis, this.#keys(runId), {
      nowUs: this.nowUs,
      generation,
      owner,
      failure,
      graceUs: msToUs(restMs),
      trouble: trouble === undefined ? '' : JSON.stringify(trouble),
      triedUs: triedUs ?? '',
    })) as [string, number?, number?]
    return { failures, tries }
  }

  /** `updates`: how many updates were handed out to this job; `origins`: theirs. */
  async release(holder: Holder, updates: number, origins: readonly string[] = []): Promise<Released> {
    const args = this.#releasing(holder, updates, origins)
    return readReleased(await SCRIPTS.releaseRun.run(this.#redis, this.#keys(holder.runId), args))
  }

  /** The new generation, or null where the expected one (null: none was found) is no longer pending. */
  async reopen(runId: string, expectedGeneration: string | null): Promise<string | null> {
    const args = { nowUs: this.nowUs, runId, generation: expectedGeneration ?? '' }
    const opened = await SCRIPTS.reopenRun.run(this.#redis, this.#keys(runId), args)
    return (opened as string) || null
  }

  /** Merges writes that were a dead letter, with the order that they had. */
  async redrive(runId: string, writes: readonly (Write & { stamp: string })[]): Promise<Redriven> {
    const [generation, addJob, accepted, stale, conflicting, holder] = (await SCRIPTS.redriveWrites.run(
      this.#redis,
      this.#keys(runId),
      { nowUs: this.nowUs, runId },
      writes.flatMap(({ path, rule, json, stamp }) => [path, rule, json, stamp]),
    )) as [string, number, string, string, string, string]
    return {
      generation: generation || null,
      addJob: addJob === 1,
      acceptedFields: readList(accepted),
      staleFields: readList(stale),
      conflictFields: readList(conflicting),
      heldClientKey: holder === '' ? null : JSON.parse(holder),
    }
  }

  #settling(runId: string, { outcome, probe, ended }: Applied) {
    return {
      nowUs: this.nowUs,
      channel: this.#lane.announcements,
      runId,
      outcome: JSON.stringify(outcome),
      sentTtlMs: this.#policy.sentTtlMs,
      probe,
      ...this.#announcement(ended),
    }
  }

  #announcement(ended: EndedWrites | undefined) {
    return { outcomesChannel: this.#lane.outcomes, announcement: ended === undefined ? '' : toAnnouncement(ended) }
  }

  #releasing({ runId, generation, owner }: Holder, updates: number, origins: readonly string[]) {
    return {
      nowUs: this.nowUs,
      runId,
      generation,
      owner,
      windowUs: msToUs(this.#policy.coalesceWindowMs),
      longestLeaseUs: msToUs(leaseMs(this.#policy)),
      updates,
      origins: origins.join(' '),
    }
  }

  #keys(runId: string) {
    const { index, sequence, lettered, throttle } = this.#lane
    return { index, sequence, lettered, throttle, pending: this.#lane.pending(runId), sent: this.#lane.sent(runId) }
  }
}

function listOf({ writes }: Applied): string[] {
  return writes.flatMap(({ path, stamp, rule, json }) => [path, stamp, rule, json])
}

function readReleased(reply: unknown): Released {
  const [kind, opened = '', delayUs, origin = ''] = reply as [Released['kind'], string?, string?, string?]
  if (kind !== 'opened') return { kind }
  return { kind, generation: opened, delayMs: Number(delayUs) / 1000, ...(origin !== '' && { origin }) }
}
