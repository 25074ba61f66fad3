import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Entry, toWrites, type Write } from '../../../src/pending/entry.js'
import type { Holder } from '../../../src/pending/pending-updates.js'
import { leaseMs } from '../../../src/policy.js'
import { parseRunUpdate } from '../../../src/run/parse.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type FlushStep, loadVectors } from '../../support/vectors.js'
import { FIRST_EPOCH, TestLane } from './test-lane.js'

expectNoLeaks()

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

afterAll(() => server.close())

const RUN = 'run-1'

test.each(loadVectors('flush').cases)('$name', async ({ steps, pending }) => {
  const story = new Story(new TestLane(redis))
  for (const step of steps) await story.take(step)
  expect(await story.lane.pendingWrites(RUN)).toEqual(pending)
})

/** What the steps of a vector refer to: named updates, each owner's last claim, the last claim of all. */
class Story {
  readonly lane: TestLane
  readonly #named = new Map<string, { generation: string; writes: (Write & { stamp: string })[] }>()
  readonly #holders = new Map<string, Holder>()
  #claimed: readonly Entry[] = []

  constructor(lane: TestLane) {
    this.lane = lane
  }

  async take(step: FlushStep): Promise<void> {
    const { pending, policy } = this.lane
    switch (step.do) {
      case 'merge':
        return await this.#merge(step)
      case 'claim':
        return await this.#claim(step)
      case 'settle':
        return await this.lane.settle(RUN, this.#sent(step.paths))
      case 'setAside':
        return await pending.setAside(RUN, this.#sent(step.paths), { message: 'refused' })
      case 'release': {
        const holder = this.#holder(step.owner, step.generation)
        expect((await pending.release(holder, 1)).kind === 'opened').toBe(step.opensGeneration)
        return
      }
      case 'defer': {
        const restMs = step.lease === 'grace' ? policy.ambiguityGraceMs : 0
        await pending.defer(this.#holder(step.owner), { failure: 'uncounted', restMs })
        return
      }
      case 'wait':
        this.lane.advanceMs(leaseMs(policy) + 1)
        return
      case 'reopen': {
        const opened = await pending.reopen(RUN, this.#generationOf(step.expect))
        expect(opened !== null).toBe(step.opensGeneration)
        return
      }
      case 'redrive': {
        const { acceptedFields, staleFields } = await pending.redrive(RUN, this.#update(step.of).writes)
        expect({ accepted: acceptedFields.length > 0, stale: staleFields.length > 0 }).toEqual({
          accepted: step.result === 'accepted',
          stale: step.result === 'stale',
        })
      }
    }
  }

  async #merge(step: FlushStep & { do: 'merge' }): Promise<void> {
    this.lane.advanceMs(1)
    const parsed = parseRunUpdate(step.update)
    if (!parsed.ok) throw parsed.error
    const [merged] = await this.lane.merge([parsed.update])
    if (!merged) throw new Error('one update, one result')
    expect(merged.status).toBe(step.result)
    if (step.addJob !== undefined) expect(merged.addJob).toBe(step.addJob)
    if (step.as === undefined) return
    const writes = toWrites(parsed.update.writes).map((write) => ({ ...write, stamp: merged.stamp }))
    this.#named.set(step.as, { generation: merged.generation ?? '', writes })
  }

  async #claim(step: FlushStep & { do: 'claim' }): Promise<void> {
    const generation = step.generation
      ? this.#generationOf(step.generation)
      : ((await this.lane.pendingHash(RUN)).generation ?? '')
    const holder = { runId: RUN, generation, owner: step.owner }
    const claim = await this.lane.pending.claim(holder, FIRST_EPOCH)
    expect(claim.kind).toBe(step.refused ?? 'granted')
    if (claim.kind !== 'granted') return
    expect(Object.fromEntries(claim.entries.map(({ path, value }) => [path, value]))).toEqual(step.writes)
    this.#holders.set(step.owner, holder)
    this.#claimed = claim.entries
  }

  #sent(paths: readonly string[]): Entry[] {
    return this.#claimed.filter(({ path }) => paths.includes(path))
  }

  #holder(owner: string, generation?: string): Holder {
    const holder = this.#holders.get(owner)
    if (!holder) throw new Error(`${owner} never had a claim`)
    return generation === undefined ? holder : { ...holder, generation: this.#generationOf(generation) }
  }

  #generationOf(name: string): string {
    return this.#update(name).generation
  }

  #update(name: string) {
    const update = this.#named.get(name)
    if (!update) throw new Error(`no update is called ${name}`)
    return update
  }
}
