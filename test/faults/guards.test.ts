import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/dead-letters/dead-letter.js'
import { type Fleet, startFleet } from '../support/fleet.js'
import { MixedUpdates } from '../support/mixed-updates.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'

const RUNS = 120
const STORM_ROW = 20

let redis: TestRedis
let fleet: Fleet

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
afterEach(() => fleet.close())

const runIds = Array.from({ length: RUNS }, (_, i) => `run-${i}`)

const keyed = (whose: string) => new Map(runIds.map((runId) => [runId, { clientKey: `${whose} of ${runId}` }]))

async function letters(): Promise<DeadLetter[]> {
  const list = []
  for await (const { data } of fleet.pipeline.deadLetters.list()) list.push(data)
  return list
}

describe('the guard against storms of dead letters', () => {
  test('holds the lane at twenty letters of distinct runs for one reason, until an operator accepts it', async () => {
    fleet = await startFleet(redis, { simulator: { createRuns: false } })
    const { pipeline } = fleet
    const { throttle, deadLetters, simulator } = pipeline
    await fleet.send(runIds.map((runId) => ({ run: { runId, name: 'n', tags: ['t'] } })))
    await waitFor('the storm', async () => (await throttle.read()).reason === 'storm:run_not_found', {
      timeoutMs: 20_000,
    })
    // Those that were counted before the lane was held are still on their way into the list.
    await waitFor('the letters of the storm', async () => (await deadLetters.counts()).recorded === STORM_ROW)
    for (let probes = 0; probes < 5; probes++) await simulator.next('finished')
    expect(await throttle.read()).toMatchObject({ state: 'held', reason: 'storm:run_not_found' })
    expect((await deadLetters.counts()).recorded).toBe(STORM_ROW)

    await throttle.open('run_not_found')
    await pipeline.drained(30_000)
    expect(new Set((await letters()).map(({ runId }) => runId))).toEqual(new Set(runIds))
    expect(await throttle.read()).toMatchObject({ state: 'open' })
  })

  test('does not take client key conflicts for a storm', async () => {
    fleet = await startFleet(redis, { initialRuns: keyed('theirs') })
    const { pipeline } = fleet
    const changes: string[] = []
    const subscriber = redis.client()
    subscriber.on('message', (_channel, state: string) => changes.push(state))
    await subscriber.subscribe(pipeline.lane.announcements)
    await fleet.send(runIds.map((runId) => ({ run: { runId, clientKey: `ours of ${runId}` } })))
    await pipeline.drained()
    expect((await letters()).map(({ reason }) => reason)).toEqual(runIds.map(() => 'client_key_conflict'))
    expect(changes).toEqual([])
    await fleet.expectNothingLost()
  })
})

test('a run that fails is given up only where other runs are applied meanwhile', async () => {
  fleet = await startFleet(redis, { worker: { maxAttempts: 4 } })
  const { pipeline } = fleet
  pipeline.simulator.setFaults({
    refuse: (runId) => (runId === 'unlucky' ? { code: 13, message: 'internal error' } : undefined),
  })
  await fleet.send([{ run: { runId: 'unlucky', name: 'n' } }])
  // Three requests a try: far more tries than are allowed.
  for (let requests = 0; requests < 40; requests++) await pipeline.simulator.next('finished')
  expect(await pipeline.deadLetters.counts()).toMatchObject({ recorded: 0 })

  const mix = new MixedUpdates({ seed: 7, runs: 50 })
  let isGivenUp = false
  const live = async () => {
    while (!isGivenUp) await fleet.send(mix.take(25))
  }
  const givenUp = waitFor('the letter', async () => (await letters()).length > 0, { timeoutMs: 30_000 }).finally(() => {
    isGivenUp = true
  })
  await Promise.all([live(), givenUp])
  expect(await letters()).toMatchObject([{ runId: 'unlucky', reason: 'attempts_exhausted', code: 13, httpStatus: 500 }])
  await fleet.expectNothingLost()
})

describe('a client key', () => {
  const write = () => fleet.send(runIds.map((runId) => ({ run: { runId, name: 'n', clientKey: `ours of ${runId}` } })))

  function expectAllNamed(keyOf: (runId: string) => string | undefined): void {
    for (const runId of runIds) {
      const { name, clientKey } = fleet.pipeline.simulator.runs.get(runId) ?? {}
      expect({ runId, name, clientKey }).toEqual({ runId, name: 'n', clientKey: keyOf(runId) })
    }
  }

  test('that our own PATCH has set, whose answer got lost, is no dead letter', async () => {
    fleet = await startFleet(redis)
    const { simulator } = fleet.pipeline
    simulator.setFaults({ lostAnswerRate: 1 })
    await write()
    for (let seen = 0; seen < 5; seen++) await simulator.next('applied')
    simulator.setFaults({ lostAnswerRate: 0.3 })
    await fleet.expectNothingLost()
    expectAllNamed((runId) => `ours of ${runId}`)
    expect(await letters()).toEqual([])
  })

  test('that somebody else has set to the same value is no dead letter', async () => {
    fleet = await startFleet(redis, { initialRuns: keyed('ours') })
    await write()
    await fleet.expectNothingLost()
    expectAllNamed((runId) => `ours of ${runId}`)
    expect(await letters()).toEqual([])
  })

  test.each([0, 0.5])(
    'that another key stands in the way of is a conflict (%d of the answers to reads fail)',
    async (share) => {
      fleet = await startFleet(redis, { initialRuns: keyed('theirs') })
      const { simulator } = fleet.pipeline
      simulator.setFaults({ errors: { 503: share } })
      await write()
      await fleet.expectNothingLost()
      expectAllNamed((runId) => `theirs of ${runId}`)
      expect(await letters()).toHaveLength(RUNS)
      for (const { runId, reason, updateMask, heldClientKey } of await letters()) {
        expect({ reason, updateMask, heldClientKey }).toEqual({
          reason: 'client_key_conflict',
          updateMask: 'clientKey',
          heldClientKey: `theirs of ${runId}`,
        })
      }
    },
  )

  test('that is taken by another run costs that field only', async () => {
    fleet = await startFleet(redis)
    // Fewer than a storm: these refusals count, since they come from the answers alone.
    const takenIds = runIds.slice(0, STORM_ROW - 1)
    for (const runId of takenIds)
      fleet.pipeline.simulator.createRun(`other-${runId}`, { clientKey: `ours of ${runId}` })
    await write()
    await fleet.expectNothingLost()
    expectAllNamed((runId) => (takenIds.includes(runId) ? undefined : `ours of ${runId}`))
    const list = await letters()
    expect(new Set(list.map(({ runId }) => runId))).toEqual(new Set(takenIds))
    expect(new Set(list.map(({ reason, updateMask }) => `${reason} ${updateMask}`))).toEqual(
      new Set(['already_exists clientKey']),
    )
  })

  test('that every update repeats costs no request once it was applied', async () => {
    fleet = await startFleet(redis)
    const { pipeline } = fleet
    await write()
    await pipeline.drained()
    const { received } = pipeline.simulator.counters
    for (let round = 0; round < 10; round++) {
      await fleet.send(runIds.map((runId) => ({ run: { runId, clientKey: `ours of ${runId}` } })))
    }
    await fleet.expectNothingLost()
    expect(pipeline.simulator.counters.received).toBe(received)
  })

  test('that was refused and is redriven is refused again with its cause, or applied where its place is free', async () => {
    const [taken = '', free = ''] = runIds
    fleet = await startFleet(redis, { initialRuns: new Map([[taken, { clientKey: 'theirs' }]]) })
    const { pipeline } = fleet
    const { deadLetters, simulator } = pipeline
    simulator.setFaults({
      refuse: (runId, mask) =>
        runId === free && mask.includes('clientKey') ? { code: 9, message: 'the run is locked' } : undefined,
    })
    await write()
    await pipeline.drained()
    simulator.setFaults({ refuse: undefined })
    expect(new Set((await letters()).map(({ runId }) => runId))).toEqual(new Set([taken, free]))
    for (const { id } of await letters()) expect((await deadLetters.retry(id)).kind).toBe('redriven')
    await fleet.expectNothingLost()
    expect(await letters()).toMatchObject([{ runId: taken, reason: 'client_key_conflict', heldClientKey: 'theirs' }])
    expect(simulator.runs.get(free)?.clientKey).toBe(`ours of ${free}`)
  })
})
