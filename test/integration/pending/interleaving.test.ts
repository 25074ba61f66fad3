import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { Interleaving, type Step } from './interleaving.js'
import { TestLane } from './test-lane.js'

expectNoLeaks()

/** A failure prints its seed and path: give both by these to see it again. */
const { PROPERTY_CASES = '1000', PROPERTY_SEED, PROPERTY_PATH } = process.env

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

afterAll(() => server.close())

const DAY_MS = 86_400_000

const writes = fc
  .record(
    {
      name: fc.constantFrom('a', 'b', 'bad'),
      description: fc.constantFrom('a', 'bad', null),
      clientKey: fc.constantFrom('k1', 'k2', 'bad key'),
    },
    { requiredKeys: [] },
  )
  .filter((fields) => Object.keys(fields).length > 0)

/** Two instants a microsecond apart before all arrivals, and two after them. */
const observed = fc.constantFrom(
  undefined,
  undefined,
  -DAY_MS * 1000,
  -DAY_MS * 1000 + 1,
  DAY_MS * 1000,
  DAY_MS * 1000 + 1,
)

function steps(runs: number) {
  const run = fc.nat(runs - 1)
  const worker = fc.nat(1)
  const merge = fc.record({ do: fc.constant('merge'), run, writes, observed, tie: fc.constantFrom(0, 0, 1, 2) })
  const claim = fc.record({ do: fc.constant('claim'), worker, run, job: fc.constantFrom(0, 0, 0, 1) })
  const send = fc.record({
    do: fc.constant('send'),
    worker,
    fields: fc.constantFrom(7, 7, 1, 2, 3, 4),
    answer: fc.constantFrom('told', 'told', 'told', 'lost', 'late'),
  })
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: merge },
    { weight: 6, arbitrary: claim },
    { weight: 6, arbitrary: send },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('settle'), worker }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('record', 'setAside', 'release'), worker }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('crash'), worker }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('defer'),
        worker,
        failure: fc.constantFrom('none', 'uncounted', 'counted', 'held'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('redrive'), letter: fc.nat(3), crashes: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen'), run }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(0.001, 500, 2_000, 14_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('setClockBack'), ms: fc.constantFrom(1_000, 3_600_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('land', 'mend') }) },
  ) as fc.Arbitrary<Step>
  return fc.array(step, { minLength: 1, maxLength: 80, size: 'max' })
}

test.each([
  { name: 'one run', runs: 1 },
  { name: 'two runs', runs: 2 },
])(
  'any interleaving of merges, tries, crashes, lost answers and redrives of $name ends where the oracle ends',
  { timeout: 120_000 },
  async ({ runs }) => {
    let applied = 0
    await fc.assert(
      fc.asyncProperty(steps(runs), async (list) => {
        const interleaving = new Interleaving(new TestLane(redis, { futureLimitMs: 10 * DAY_MS }))
        for (const step of list) await interleaving.take(step)
        await interleaving.finish()
        applied += interleaving.requests
      }),
      {
        numRuns: Number(PROPERTY_CASES),
        ...(PROPERTY_SEED !== undefined && { seed: Number(PROPERTY_SEED) }),
        ...(PROPERTY_PATH !== undefined && { path: PROPERTY_PATH }),
      },
    )
    // Else the steps would hardly ever meet, and nothing would be proved.
    expect(applied).toBeGreaterThan(Number(PROPERTY_CASES))
  },
)
