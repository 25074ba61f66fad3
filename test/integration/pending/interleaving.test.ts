import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { Interleaving } from './interleaving.js'
import { DAY_MS, stepsOf } from './interleaving-steps.js'
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

test.each([
  { name: 'one run', runs: 1 },
  { name: 'two runs', runs: 2 },
])(
  'any interleaving of merges, tries, crashes, lost answers and redrives of $name ends where the oracle ends',
  { timeout: 120_000 },
  async ({ runs }) => {
    let applied = 0
    await fc.assert(
      fc.asyncProperty(stepsOf(runs), async (list) => {
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
