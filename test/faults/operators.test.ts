import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/dead-letters/dead-letter.js'
import { seededDraws } from '../../src/simulator/seeded-draws.js'
import { type Fleet, startFleet } from '../support/fleet.js'
import { MixedUpdates } from '../support/mixed-updates.js'
import { doAnyDeed } from '../support/operator-deeds.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

/** Letters that are counted as gone are at least a minute old. */
const OLD_LETTER_MS = 120_000

let redis: TestRedis
let fleet: Fleet

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
afterEach(() => fleet.close())

test('whatever operators do to the jobs of the flush queue, at random, loses nothing', async () => {
  fleet = await startFleet(redis)
  const { simulator, flushQueue } = fleet.pipeline
  simulator.setFaults({ latencyMs: 20, latencyJitterMs: 40, errors: { 503: 0.05 } })
  const draw = seededDraws(5, 'deeds')
  const mix = new MixedUpdates({ seed: 5, runs: 200, everyBadStop: 400, everyOtherKey: 500 })
  let deeds = 0
  await fleet.send(mix.take(6_000), async () => {
    await doAnyDeed(flushQueue.queue, draw)
    deeds += 1
    if (deeds % 5 === 0) await flushQueue.queue.resume()
  })
  await flushQueue.queue.resume()
  await fleet.expectNothingLost()
  expect(deeds).toBeGreaterThan(200)
})

test('dead letters that are removed by any means are counted as removed, and retried ones as redriven', async () => {
  fleet = await startFleet(redis, { worker: { stormRow: 1_000_000 } })
  const { pipeline, ledger } = fleet
  const { deadLetters, simulator } = pipeline
  const { queue } = deadLetters
  simulator.setFaults({
    refuse: (_runId, mask) => (mask.includes('description') ? { code: 3, message: 'not this one' } : undefined),
  })
  const letters = async () => {
    const present = new Map<string, DeadLetter>()
    for await (const { data } of deadLetters.list()) present.set(data.id, data)
    return present
  }
  const truth = { redriven: 0, removed: 0 }
  /** Once all has come to rest, what is gone was redriven or removed, as the deed was. */
  const deed = async (kind: keyof typeof truth, act: () => Promise<unknown>) => {
    const before = await letters()
    await act()
    await pipeline.drained()
    const after = await letters()
    const gone = [...before.values()].filter(({ id }) => !after.has(id))
    expect(gone.length).toBeGreaterThan(0)
    truth[kind] += gone.length
    if (kind === 'removed') for (const letter of gone) ledger.refuse(letter)
  }
  const failed = async (count: number) => (await queue.getFailed()).slice(0, count)

  for (let round = 0; round < 3; round++) {
    await fleet.send(
      Array.from({ length: 300 }, (_, i) => ({
        run: { runId: `run-${i}`, name: `n ${round}`, description: `d ${round}` },
      })),
    )
    await pipeline.drained()
    await deed('removed', async () => Promise.all((await failed(20)).map((job) => job.remove())))
    await deed('redriven', async () => Promise.all((await failed(20)).map((job) => job.retry())))
    await deed('removed', () => queue.clean(0, 30, 'failed'))
    await deed('redriven', () => queue.retryJobs({ count: 30 }))
    await deed('removed', async () => {
      await queue.pause()
      await Promise.all((await failed(10)).map((job) => job.retry()))
      await queue.drain()
      await queue.resume()
    })
    if (round === 1) {
      await deed('removed', async () => {
        await queue.obliterate({ force: true })
        await queue.resume()
      })
    }
  }
  simulator.setFaults({ refuse: undefined })
  await deed('redriven', () => queue.retryJobs())
  expect((await letters()).size).toBe(0)

  const client = redis.client()
  const ids = await client.zrange(pipeline.lane.deadLetterIds, '0', '-1')
  for (const id of ids) await client.zincrby(pipeline.lane.deadLetterIds, -OLD_LETTER_MS, id)
  await deadLetters.reckon()
  const counts = await deadLetters.counts()
  expect(counts).toMatchObject(truth)
  expect(counts.recorded).toBe(truth.redriven + truth.removed)
  await fleet.expectNothingLost()
})
