import type { Redis } from 'ioredis'
import type { Claim, TurnReply } from '../../../src/pending/claim.js'
import type { Entry } from '../../../src/pending/entry.js'
import {
  loadMerge,
  type Merged,
  type MergeOptions,
  type MergeUpdate,
  mergeUpdates,
} from '../../../src/pending/merge.js'
import { type Holder, PendingUpdates } from '../../../src/pending/pending-updates.js'
import { DEFAULT_POLICY, type Policy, policyWith } from '../../../src/policy.js'
import { type Lane, laneOf } from '../../../src/redis/lane.js'
import type { Writes } from '../../../src/run/parse.js'
import { type Permit, Throttle } from '../../../src/throttle/throttle.js'

/** An ordinary permit of a lane that was never held. */
export const FIRST_EPOCH = { epoch: 0, probe: '' }

export const START_US = Date.parse('2026-03-01T10:00:00Z') * 1000

/** How many lanes were made: each has keys of its own, so that tests of one file share a Redis. */
let lanes = 0

/** A lane of its own on a real Redis, whose clock stands still but for what a test does to it. */
export class TestLane {
  readonly redis: Redis
  readonly lane: Lane = laneOf(`run-updates-${++lanes}`)
  readonly policy: Policy
  readonly pending: PendingUpdates
  readonly throttle: Throttle
  #nowUs = START_US

  constructor(redis: Redis, changes: Partial<Policy> = {}) {
    this.redis = redis
    this.policy = Object.keys(changes).length === 0 ? DEFAULT_POLICY : policyWith(changes)
    this.pending = new PendingUpdates(redis, this.lane, this.policy)
    this.throttle = new Throttle(redis, this.lane, this.policy)
    this.nowUs = START_US
  }

  get nowUs(): number {
    return this.#nowUs
  }

  set nowUs(nowUs: number) {
    this.#nowUs = nowUs
    this.pending.nowUs = nowUs
    this.throttle.nowUs = nowUs
  }

  /** Negative: the clock is set back. */
  advanceMs(ms: number): void {
    this.nowUs += Math.round(ms * 1000)
  }

  async merge(updates: readonly MergeUpdate[], options: MergeOptions = {}): Promise<readonly Merged[]> {
    await loadMerge(this.redis)
    const reply = await mergeUpdates(this.redis, this.lane, this.policy, updates, { nowUs: this.nowUs, ...options })
    if (reply.kind !== 'merged') throw new Error(`the merge came ${reply.kind}`)
    return reply.results
  }

  /** Merges one update, and tells the generation that it met or opened. */
  async write(runId: string, writes: Writes, update: Partial<MergeUpdate> = {}): Promise<Written> {
    const [merged] = await this.merge([{ runId, writes, ...update }])
    if (!merged?.generation) throw new Error(`the write of ${runId} was ${merged?.status}`)
    return { ...merged, stamp: merged.stamp, generation: merged.generation }
  }

  async claim(holder: Holder, permit: Pick<Permit, 'epoch' | 'probe'> = FIRST_EPOCH): Promise<Claim> {
    const claim = await this.pending.claim(holder, permit)
    if (claim.kind !== 'granted') throw new Error(`the claim of ${holder.runId} was ${claim.kind}`)
    return claim
  }

  async settle(runId: string, entries: readonly Entry[], probe = ''): Promise<void> {
    await this.pending.settle(runId, { writes: entries, outcome: { message: 'applied' }, probe })
  }

  /** A run of its own is written, claimed, applied and released: the sign of life that lets failures count. */
  async applyAnother(runId: string, permit: Pick<Permit, 'epoch' | 'probe'> = FIRST_EPOCH): Promise<void> {
    const { generation } = await this.write(runId, { name: 'fine' })
    const holder = { runId, generation, owner: `owner of ${runId}` }
    const { entries, updates } = await this.claim(holder, permit)
    await this.settle(runId, entries, permit.probe)
    await this.pending.release(holder, updates)
  }

  /** The values that are pending for a run, read past the scripts; null: no pending update. */
  async pendingWrites(runId: string): Promise<Writes | null> {
    const hash = await this.pendingHash(runId)
    if (Object.keys(hash).length === 0) return null
    const values = Object.entries(hash).filter(([field]) => field.startsWith('value:'))
    return Object.fromEntries(values.map(([field, json]) => [field.slice('value:'.length), JSON.parse(json)]))
  }

  pendingHash(runId: string): Promise<Record<string, string>> {
    return this.redis.hgetall(this.lane.pending(runId))
  }

  sentHash(runId: string): Promise<Record<string, string>> {
    return this.redis.hgetall(this.lane.sent(runId))
  }

  /** The turn of a run that asks now; its generation is the pending one. */
  async askTurn(runId: string, owner = `owner of ${runId}`): Promise<TurnReply> {
    const generation = (await this.redis.hget(this.lane.pending(runId), 'generation')) ?? ''
    const holder = { runId, generation, owner }
    const reply = await this.pending.takeTurn(holder)
    if (reply.kind !== 'no_rate') return reply
    // A test that sets none is about something else.
    await this.throttle.setRate({ max: Number.POSITIVE_INFINITY, durationMs: 1 })
    return this.pending.takeTurn(holder)
  }

  /** Its permit alone: where the claim came with it, the try ends at once, so that others may ask for the same run. */
  async takePermit(runId: string, owner = `owner of ${runId}`): Promise<Permit> {
    const reply = await this.askTurn(runId, owner)
    if (reply.kind === 'granted') return reply.permit
    if (reply.kind !== 'claimed') throw new Error(`the permit for ${runId} was ${reply.kind}`)
    const generation = (await this.redis.hget(this.lane.pending(runId), 'generation')) ?? ''
    await this.pending.defer({ runId, generation, owner }, { failure: 'none' })
    return reply.permit
  }
}

export type Written = Merged & { readonly generation: string }
