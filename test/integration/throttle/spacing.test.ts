import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Permit } from '../../../src/throttle/throttle.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { TestLane } from '../pending/test-lane.js'

expectNoLeaks()

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

afterAll(() => server.close())

const RUNS = ['a', 'b', 'c']
const HOUR_MS = 3_600_000

type Step =
  | { readonly do: 'ask'; readonly run: number }
  | { readonly do: 'pass' | 'setClockBack'; readonly ms: number }
  | { readonly do: 'refuse' | 'fail' | 'apply' | 'giveBack' }
  | { readonly do: 'hold' | 'open' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('ask'), run: fc.nat(RUNS.length - 1) }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(0.001, 7, 50, 1_020, 20_000, HOUR_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('setClockBack'), ms: fc.constantFrom(1, 500, HOUR_MS) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('refuse', 'fail', 'apply', 'giveBack') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('hold', 'open') }) },
) as fc.Arbitrary<Step>

test('no window holds more requests than the rate allows, whatever holds, opens and clock steps come in between', {
  timeout: 60_000,
}, async () => {
  const rate = fc.record({ max: fc.integer({ min: 1, max: 7 }), durationMs: fc.constantFrom(100, 1_000) })
  const steps = fc.array(step, { minLength: 1, maxLength: 80, size: 'max' })
  await fc.assert(
    fc.asyncProperty(rate, steps, async ({ max, durationMs }, list) => {
      const slotsMs = await usedSlots(new TestLane(redis), { max, durationMs }, list)
      const tooClose = slotsMs.filter(
        (slot, index) => slot - (slotsMs[index - max] ?? Number.NEGATIVE_INFINITY) < durationMs,
      )
      expect(tooClose).toEqual([])
    }),
    { numRuns: 300 },
  )
})

/** When a request may have been sent, in ascending order. A clock set back repeats some of its times: not here. */
async function usedSlots(
  lane: TestLane,
  rate: { max: number; durationMs: number },
  steps: readonly Step[],
): Promise<number[]> {
  await lane.throttle.setRate(rate)
  for (const runId of RUNS) await lane.write(runId, { name: 'n' })
  let slots: { atMs: number; epoch: number }[] = []
  let elapsedMs = 0
  let last: { runId: string; permit: Permit } | undefined
  // A claim refuses the permit of an older epoch, or of another probe: only what was sent before then counts.
  const voidUnused = async () => {
    const epoch = Number(await redis.hget(lane.lane.throttle, 'epoch'))
    slots = slots.filter((slot) => slot.epoch === epoch || slot.atMs <= elapsedMs)
  }
  for (const step of steps) {
    switch (step.do) {
      case 'ask': {
        const runId = RUNS[step.run] ?? ''
        const reply = await lane.askTurn(runId)
        if (reply.kind !== 'granted' && reply.kind !== 'claimed') break
        last = { runId, permit: reply.permit }
        slots.push({ atMs: elapsedMs + reply.permit.waitMs, epoch: reply.permit.epoch })
        break
      }
      case 'pass':
        elapsedMs += step.ms
        lane.advanceMs(step.ms)
        break
      case 'setClockBack':
        // The scripts learn of the step by the time that they last saw.
        await lane.throttle.read()
        lane.advanceMs(-step.ms)
        break
      case 'hold':
        await lane.throttle.hold('by hand')
        break
      case 'open':
        await lane.throttle.open()
        break
      case 'apply':
        if (last) await lane.settle(last.runId, [], last.permit.probe)
        break
      default:
        if (last) await lane.throttle.report(last.runId, REPORTS[step.do], last.permit)
    }
    await voidUnused()
  }
  return slots.map(({ atMs }) => atMs).sort((a, b) => a - b)
}

const REPORTS = {
  refuse: { kind: 'throttled', reason: 'rate_limited', message: 'slow down' },
  fail: { kind: 'transient', reason: 'http_503', message: 'unavailable' },
  giveBack: { kind: 'unspent', reason: '', message: '' },
} as const
