import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MergeUpdate } from '../../../src/pending/merge.js'
import { parseRunUpdate } from '../../../src/run/parse.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { loadVectors } from '../../support/vectors.js'
import { TestLane } from './test-lane.js'

expectNoLeaks()

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

afterAll(() => server.close())

const { cases } = loadVectors('coalesce')

describe.each(['one by one', 'in one batch'])('updates of one run that come %s', (how) => {
  test.each(cases)('$name', async ({ updates, clock, ties, results, stale, conflicts, pending }) => {
    const lane = new TestLane(redis)
    const parsed = updates.map((update, index) => parse(update, ties?.[index]))

    if (how === 'in one batch' && clock === undefined) {
      const merged = await lane.merge(parsed)
      expect(merged.map(({ status }) => status)).toEqual(results)
      expect(merged.map(({ staleFields }) => staleFields)).toEqual(stale ?? results.map(() => []))
      expect(merged.map(({ conflictFields }) => conflictFields)).toEqual(conflicts ?? results.map(() => []))
      expect(merged.map(({ addJob }) => addJob)).toEqual(results.map((_result, index) => index === 0))
    } else {
      for (const [index, update] of parsed.entries()) {
        const at = clock?.[index]
        lane.nowUs = at === undefined ? lane.nowUs + 1000 : Date.parse(at) * 1000
        const [merged] = await lane.merge([update])
        expect(merged).toMatchObject({
          status: results[index],
          staleFields: stale?.[index] ?? [],
          conflictFields: conflicts?.[index] ?? [],
          addJob: index === 0,
        })
      }
    }
    expect(await lane.pendingWrites('run-1')).toEqual(pending)
  })
})

function parse(input: unknown, tie: number | undefined): MergeUpdate {
  const result = parseRunUpdate(input)
  if (!result.ok) throw result.error
  return { ...result.update, ...(tie !== undefined && { tie }) }
}
