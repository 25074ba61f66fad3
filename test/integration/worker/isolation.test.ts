import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FIELDS, type FieldPath } from '../../../src/run/fields.js'
import type { RunUpdate } from '../../../src/run/run-update.js'
import { seededDraws } from '../../../src/simulator/seeded-draws.js'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { countSearch, mostPatches } from '../../support/search-in-memory.js'

const PATHS = FIELDS.map(({ path }) => path)

/** No success may come between two letters here, so the guard against storms of them is put far away. */
const NO_STORM = { stormRow: 1_000_000 }

/** One run's update, and those of its fields that Sift refuses. */
interface Case {
  readonly mask: readonly FieldPath[]
  readonly guilty: readonly FieldPath[]
}

const cases: fc.Arbitrary<Case[]> = fc.array(
  fc
    .subarray(PATHS, { minLength: 1 })
    .chain((mask) => fc.record({ mask: fc.constant(mask), guilty: fc.subarray(mask, { minLength: 1 }) })),
  { minLength: 25, maxLength: 50 },
)

let redis: TestRedis
let pipeline: Pipeline
let rounds = 0

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
})
afterEach(() => pipeline.close())

const newRound = (count: number): string[] => {
  rounds += 1
  return Array.from({ length: count }, (_, i) => `run-${rounds}-${i}`)
}

function updateOf(runId: string, mask: readonly FieldPath[]): RunUpdate {
  const run = {
    name: 'a name',
    description: 'a description',
    startTime: '2026-01-01T00:00:00Z',
    stopTime: '2026-01-01T01:00:00Z',
    isPinned: true,
    isArchived: true,
    clientKey: `key of ${runId}`,
    tags: ['a tag'],
    metadata: { key: 'a value' },
  }
  return { run: { runId, ...run }, updateMask: mask }
}

/** Sift refuses every mask with a guilty field of its run. */
function refuseGuilty(guiltyOf: ReadonlyMap<string, readonly FieldPath[]>): void {
  pipeline.simulator.setFaults({
    refuse: (runId, mask) => {
      const guilty = guiltyOf.get(runId)?.find((path) => mask.includes(path))
      return guilty && { code: 3, message: `${guilty} is refused` }
    },
  })
}

/** The fields of each run's dead letters; a letter of several fields is told as one item. */
async function condemned(): Promise<Map<string, string[]>> {
  const masks = new Map<string, string[]>()
  for await (const { data } of pipeline.deadLetters.list()) {
    masks.set(data.runId, [...(masks.get(data.runId) ?? []), data.updateMask].sort())
  }
  return masks
}

const isSet = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== '' && value !== false

async function expectExactlyTheGuiltyCondemned(runIds: readonly string[], list: readonly Case[]): Promise<void> {
  const letters = await condemned()
  for (const [index, { mask, guilty }] of list.entries()) {
    const runId = runIds[index] ?? ''
    expect(letters.get(runId)).toEqual(guilty.toSorted())
    const run = pipeline.simulator.runs.get(runId)
    for (const path of mask) {
      if (path === 'name') continue
      expect({ path, isApplied: isSet(run?.[path]) }).toEqual({ path, isApplied: !guilty.includes(path) })
    }
  }
}

describe('the search for the guilty fields', () => {
  test('finds exactly them, within its bound, for every mask and every set of guilty fields in it', async () => {
    for (const mask of subsetsOf(PATHS)) {
      for (const guilty of subsetsOf(mask)) {
        const { condemned, applied, patches } = await countSearch(mask, guilty)
        if (patches > mostPatches(mask.length, guilty.length)) throw new Error(`${patches} for ${guilty} of ${mask}`)
        expect([condemned, applied]).toEqual([guilty, mask.filter((path) => !guilty.includes(path))])
      }
    }
  }, 120_000)

  test('finds them through Redis, BullMQ and HTTP as well', async () => {
    pipeline.addWorker(NO_STORM)
    const check = async (list: Case[]) => {
      const runIds = newRound(list.length)
      refuseGuilty(new Map(list.map(({ guilty }, index) => [runIds[index] ?? '', guilty])))
      await pipeline.producer.enqueueMany(list.map(({ mask }, index) => updateOf(runIds[index] ?? '', mask)))
      await pipeline.drained(20_000)
      await expectExactlyTheGuiltyCondemned(runIds, list)
      const { requests } = pipeline.simulator
      for (const [index, { mask, guilty }] of list.entries()) {
        const most = mostPatches(mask.length, guilty.length)
        const patches = requests.filter(({ method, runId }) => method === 'PATCH' && runId === runIds[index])
        expect(patches.length).toBeLessThanOrEqual(most)
      }
    }
    await fc.assert(fc.asyncProperty(cases, check), { numRuns: 6, endOnFailure: true })
  })

  test('finds them where the worker is cut off between probes again and again', async () => {
    pipeline.simulator.setFaults({ latencyMs: 2 })
    const check = async (list: Case[], requests: number[]) => {
      const runIds = newRound(list.length)
      refuseGuilty(new Map(list.map(({ guilty }, index) => [runIds[index] ?? '', guilty])))
      await pipeline.producer.enqueueMany(list.map(({ mask }, index) => updateOf(runIds[index] ?? '', mask)))
      for (const count of requests) {
        const worker = pipeline.addWorker(NO_STORM)
        for (let seen = 0; seen < count; seen++) await pipeline.simulator.next('request')
        await worker.close({ timeoutMs: 0 })
      }
      const last = pipeline.addWorker(NO_STORM)
      await pipeline.drained(20_000)
      await last.close()
      await expectExactlyTheGuiltyCondemned(runIds, list)
    }
    const cuts = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 3 })
    await fc.assert(fc.asyncProperty(cases, cuts, check), { numRuns: 4, endOnFailure: true })
  })

  test('moves a run to another day, start and stop together, whatever else is refused', async () => {
    const isTime = (path: FieldPath): boolean => path === 'startTime' || path === 'stopTime'
    const others = PATHS.filter((path) => !isTime(path))
    const list: Case[] = subsetsOf(others).map((rest) => {
      return { mask: PATHS.filter((path) => isTime(path) || rest.includes(path)), guilty: rest.slice(0, 1) }
    })
    const runIds = newRound(list.length)
    const earlier = { startTime: '2020-01-01T00:00:00Z', stopTime: '2020-01-01T01:00:00Z' }
    for (const runId of runIds) pipeline.simulator.createRun(runId, earlier)
    refuseGuilty(new Map(list.map(({ guilty }, index) => [runIds[index] ?? '', guilty])))
    await pipeline.producer.enqueueMany(list.map(({ mask }, index) => updateOf(runIds[index] ?? '', mask)))
    pipeline.addWorker(NO_STORM)
    await pipeline.drained(20_000)
    await expectExactlyTheGuiltyCondemned(runIds, list)
    for (const runId of runIds) {
      expect(pipeline.simulator.runs.get(runId)).toMatchObject({
        startTime: '2026-01-01T00:00:00Z',
        stopTime: '2026-01-01T01:00:00Z',
      })
    }
  })

  test('condemns nothing that was not refused alone, where answers change their mind', async () => {
    const draw = seededDraws(8, 'minds')
    pipeline.simulator.setFaults({
      refuse: () => (draw() < 0.6 ? { code: 3, message: 'not now' } : undefined),
    })
    pipeline.addWorker(NO_STORM)
    const runIds = newRound(300)
    await pipeline.producer.enqueueMany(runIds.map((runId) => updateOf(runId, PATHS)))
    await pipeline.drained(20_000)

    const refusedAlone = new Set(
      pipeline.simulator.requests
        .filter(({ fault }) => fault === 'refuse')
        .map(({ runId, mask }) => `${runId} ${mask}`),
    )
    const letters = await condemned()
    expect(letters.size).toBeGreaterThan(100)
    for (const runId of runIds) {
      const guilty = letters.get(runId) ?? []
      for (const mask of guilty) {
        expect(PATHS).toContain(mask)
        expect(refusedAlone).toContain(`${runId} ${mask}`)
      }
      const run = pipeline.simulator.runs.get(runId)
      for (const path of PATHS) {
        if (path !== 'name') expect(isSet(run?.[path])).toBe(!guilty.includes(path))
      }
    }
  })
})

/** All but the empty one, in the order of the items. */
function subsetsOf<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: 2 ** items.length - 1 }, (_, bits) =>
    items.filter((_item, index) => ((bits + 1) >> index) & 1),
  )
}
