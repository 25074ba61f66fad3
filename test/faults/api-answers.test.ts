import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Faults } from '../../src/simulator/faults.js'
import { type Fleet, startFleet } from '../support/fleet.js'
import { MixedUpdates } from '../support/mixed-updates.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'

const UPDATES = 3_000
const RUNS = 200

let redis: TestRedis
let fleet: Fleet

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
afterEach(() => fleet.close())

const mixed = (seed: number) => new MixedUpdates({ seed, runs: RUNS, everyBadStop: 400, everyOtherKey: 500 })

const LOSSES: readonly { name: string; faults: Partial<Faults>; hits: keyof typeof HIT }[] = [
  { name: 'three in ten requests answered with 503', faults: { errors: { 503: 0.3 } }, hits: 'error' },
  { name: 'one answer in ten lost after it was applied', faults: { lostAnswerRate: 0.1 }, hits: 'lostAnswer' },
  { name: 'one connection in ten cut before anything is applied', faults: { cutBeforeRate: 0.1 }, hits: 'cutBefore' },
  { name: 'one connection in ten cut in the middle of a body', faults: { cutAnswerRate: 0.1 }, hits: 'cutAnswer' },
  {
    name: 'every fiftieth answer slower than the time-out',
    faults: { slow: { every: 50, delayMs: 1_500 } },
    hits: 'slow',
  },
  {
    name: 'a little of every error, half of the ambiguous ones applied',
    faults: { errors: { 499: 0.03, 500: 0.03, 502: 0.03, 503: 0.03, 504: 0.03, aborted: 0.03 } },
    hits: 'error',
  },
]
/** How often a fault must have been met at least, so that the test has shown something. */
const HIT = { error: 50, lostAnswer: 20, cutBefore: 20, cutAnswer: 20, slow: 5 } as const

test.each(LOSSES)('nothing is lost with $name', async ({ name, faults, hits }) => {
  fleet = await startFleet(redis)
  const { simulator } = fleet.pipeline
  simulator.setFaults({ latencyMs: 5, latencyJitterMs: 10, ...faults })
  await fleet.send(mixed(name.length).take(UPDATES))
  await fleet.expectNothingLost()
  expect(simulator.counters.faults[hits]).toBeGreaterThan(HIT[hits])
})

test('a PATCH applied later than the time-out and the grace may overwrite a newer one: the documented limit', async () => {
  fleet = await startFleet(redis, { workers: 1 })
  const { pipeline } = fleet
  pipeline.simulator.setFaults({ applyLatencyMs: 3_000 })
  await fleet.send([{ run: { runId: 'run-1', name: 'old' } }])
  await pipeline.simulator.next('request')
  pipeline.simulator.setFaults({ applyLatencyMs: 0 })
  const late = pipeline.simulator.next('applied', ({ body }) => JSON.stringify(body).includes('"old"'))
  await fleet.send([{ run: { runId: 'run-1', name: 'new' } }])
  await pipeline.drained()
  expect(pipeline.simulator.runs.get('run-1')?.name).toBe('new')
  await late
  expect(pipeline.simulator.runs.get('run-1')?.name).toBe('old')
})

const PAGES = [
  { status: 200, reason: 'outage', what: 'a login page' },
  { status: 502, reason: 'outage', what: 'a bad gateway' },
  { status: 403, reason: 'unexpected_response', what: 'a firewall' },
]

test.each(PAGES)(
  'a page of HTML for all ($what) holds the lane, loses nothing, and the lane opens by itself',
  async (page) => {
    fleet = await startFleet(redis)
    const { simulator, throttle } = fleet.pipeline
    simulator.setFaults({ html: { status: page.status, runs: 'all' } })
    await fleet.send(mixed(page.status).take(1_000))
    await waitFor('the lane to be held', async () => (await throttle.read()).reason === page.reason)
    expect(simulator.counters.applied).toBe(0)
    expect((await lettersOf()).filter(({ reason }) => reason !== 'client_key_conflict')).toEqual([])
    simulator.setFaults({ html: undefined })
    await fleet.expectNothingLost()
    expect(await throttle.read()).toMatchObject({ state: 'open' })
  },
)

test('a page of a proxy for one run only ends as its attempts_exhausted, and the others go on', async () => {
  fleet = await startFleet(redis, { worker: { maxAttempts: 5 } })
  const { pipeline } = fleet
  pipeline.simulator.setFaults({ html: { status: 403, runs: new Set(['walled']) } })
  await fleet.send([{ run: { runId: 'walled', name: 'n', tags: ['t'] } }])
  let isCondemned = false
  const live = async () => {
    const mix = mixed(12)
    while (!isCondemned) await fleet.send(mix.take(50))
  }
  const condemned = waitFor(
    'the letter of the run behind the wall',
    async () => (await pipeline.deadLetters.counts()).recorded > 0 && (await lettersOf('walled')).length > 0,
    { timeoutMs: 60_000 },
  ).finally(() => {
    isCondemned = true
  })
  await Promise.all([live(), condemned])
  expect(await lettersOf('walled')).toMatchObject([{ reason: 'attempts_exhausted', updateMask: 'name,tags' }])
  await fleet.expectNothingLost()
  expect((await lettersOf()).filter(({ reason }) => reason === 'attempts_exhausted')).toHaveLength(1)
})

test('an outage holds the lane, dead-letters nothing, and ends with a probe', async () => {
  fleet = await startFleet(redis)
  const { simulator, throttle, deadLetters } = fleet.pipeline
  simulator.setFaults({ down: 'unavailable' })
  await fleet.send(mixed(13).take(UPDATES / 2))
  await waitFor('the lane to be held', async () => (await throttle.read()).reason === 'outage')
  const { length } = simulator.requests
  for (let probes = 0; probes < 5; probes++) await simulator.next('finished')
  simulator.setFaults({ down: 'unreachable' })
  for (let probes = 0; probes < 5; probes++) await simulator.next('finished')
  expect(simulator.requests.length).toBeGreaterThan(length)
  expect(await throttle.read()).toMatchObject({ state: 'held', reason: 'outage' })
  await fleet.send(mixed(14).take(UPDATES / 2))
  expect(await deadLetters.counts()).toMatchObject({ recorded: await conflicts() })
  simulator.setFaults({ down: undefined })
  await fleet.expectNothingLost()
  expect(await throttle.read()).toMatchObject({ state: 'open' })
})

test('429s hold every worker at once: no request during the wait, then probes', async () => {
  fleet = await startFleet(redis, { worker: { maxHoldMs: 10_000 } })
  const { simulator, throttle, flushQueue } = fleet.pipeline
  simulator.setFaults({ rateLimit: { max: 150, durationMs: 1_500 } })
  await fleet.send(mixed(15).take(UPDATES))
  const held = await waitFor('the lane to be held', async () => {
    const lane = await throttle.read()
    return lane.reason === 'rate_limited' && lane
  })
  await waitFor('requests in flight to end', async () => (await flushQueue.queue.getActiveCount()) === 0)
  const { length: before } = simulator.requests
  const stillHeld = await throttle.read()
  expect(stillHeld).toMatchObject({ reason: 'rate_limited', isProbing: false })
  expect(stillHeld.remainingMs).toBeGreaterThan(0)
  expect(stillHeld.untilMs).toBeGreaterThanOrEqual(held.untilMs ?? Number.POSITIVE_INFINITY)
  await simulator.next('request')
  // The clocks of Redis and of this process are the machine's, and may be read a little apart.
  const probe = simulator.requests[before]
  expect(probe?.arrivedAt).toBeGreaterThan((stillHeld.untilMs ?? 0) - 50)
  await fleet.expectNothingLost()
  expect(simulator.counters.answered[429]).toBeGreaterThan(0)
})

async function lettersOf(runId?: string) {
  const letters = []
  for await (const { data } of fleet.pipeline.deadLetters.list()) {
    if (runId === undefined || data.runId === runId) letters.push(data)
  }
  return letters
}

const conflicts = async () => (await lettersOf()).filter(({ reason }) => reason === 'client_key_conflict').length
