import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { type Faults, NO_FAULTS } from '../../src/simulator/faults.js'
import { seededDraws } from '../../src/simulator/seeded-draws.js'
import { type Fleet, LOCK_MS, startFleet } from '../support/fleet.js'
import { MixedUpdates } from '../support/mixed-updates.js'
import { doAnyDeed } from '../support/operator-deeds.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

const seed = Number(process.env.SOAK_SEED ?? Math.floor(Math.random() * 1_000_000))
const minutes = Number(process.env.SOAK_MINUTES ?? 1)

// The soak's latency is there in every mood.
const { latencyMs: _latency, latencyJitterMs: _jitter, ...NO_TROUBLE } = NO_FAULTS

/** What the API may be like for a while. */
const MOODS: readonly Partial<Faults>[] = [
  NO_TROUBLE,
  { errors: { 503: 0.3 } },
  { errors: { 499: 0.05, 500: 0.05, 502: 0.05, 504: 0.05, aborted: 0.05 } },
  { lostAnswerRate: 0.1, cutBeforeRate: 0.05, cutAnswerRate: 0.1 },
  { slow: { every: 40, delayMs: 1_500 } },
  { rateLimit: { max: 100, durationMs: 1_000 } },
  { html: { status: 403, runs: 'all' } },
  { html: { status: 502, runs: 'all' } },
  { down: 'unavailable' },
  { down: 'unreachable' },
  { revoked: true },
]

interface Trouble {
  readonly name: string
  strike(): Promise<unknown>
}

/** What has happened so far, for whoever reads of a failure. */
const struck: string[] = []

let redis: TestRedis
let fleet: Fleet

afterEach(async () => {
  await fleet.close()
  await redis.close()
})

test(`everything at once, seed ${seed}, for ${minutes} minutes, loses nothing`, {
  timeout: (minutes + 4) * 60_000,
}, async () => {
  try {
    await soak()
  } catch (cause) {
    const replay = `to replay: npm run test:soak -- --seed ${seed} --minutes ${minutes}`
    throw new Error(`${replay}\nafter: ${struck.join(', ')}\nthe lane: ${await describeLane()}`, { cause })
  }
})

async function soak(): Promise<void> {
  const draw = seededDraws(seed, 'soak')
  const whole = (below: number) => Math.floor(draw() * below)
  redis = await startTestRedis({ appendfsync: 'always' })
  fleet = await startFleet(redis)
  const { pipeline, workers } = fleet
  const { simulator, flushQueue } = pipeline
  simulator.setFaults({ latencyMs: 10, latencyJitterMs: 60 })
  const mix = new MixedUpdates({ seed, runs: 300, everyBadStop: 500, everyOtherKey: 600 })

  const setMood = async () => simulator.setFaults({ ...NO_TROUBLE, ...MOODS[whole(MOODS.length)] })
  const troubles: readonly Trouble[] = [
    { name: 'worker killed', strike: () => fleet.replaceWorker(whole(workers.length)) },
    {
      name: 'worker frozen',
      strike: async () => {
        const frozen = workers[whole(workers.length)]
        frozen?.freeze()
        await delay(LOCK_MS * 2 * draw())
        frozen?.thaw()
      },
    },
    {
      name: 'Redis killed',
      strike: async () => {
        await redis.kill()
        await redis.restart()
      },
    },
    {
      name: 'Redis frozen',
      strike: async () => {
        redis.freeze()
        await delay(LOCK_MS * 2 * draw())
        redis.thaw()
      },
    },
    { name: 'operator', strike: () => doAnyDeed(flushQueue.queue, draw) },
    { name: 'operator', strike: () => doAnyDeed(flushQueue.queue, draw) },
    { name: 'API', strike: setMood },
    { name: 'API', strike: setMood },
  ]
  const end = performance.now() + minutes * 60_000
  for (let rounds = 1; performance.now() < end; rounds++) {
    const trouble = troubles[whole(troubles.length)]
    struck.push(trouble?.name ?? '')
    await Promise.all([fleet.send(mix.take(100 + whole(200))), trouble?.strike()])
    if (rounds % 20 === 0) await calmDown()
  }
  await calmDown()
  console.info(`seed ${seed}: ${fleet.ledger.count} updates, ${simulator.counters.received} requests, nothing lost`)
  expect(fleet.ledger.count).toBeGreaterThan(100)
}

async function calmDown(): Promise<void> {
  const { simulator, flushQueue } = fleet.pipeline
  simulator.setFaults(NO_TROUBLE)
  await flushQueue.queue.resume()
  await fleet.expectNothingLost(60_000)
}

async function describeLane(): Promise<string> {
  const { throttle, flushQueue, deadLetters, lane } = fleet.pipeline
  const client = redis.client()
  const [state, jobs, isPaused, letters, pending, clients] = await Promise.all([
    throttle.read(),
    flushQueue.queue.getJobCounts(),
    flushQueue.queue.isPaused(),
    deadLetters.queue.getJobCounts(),
    client.zrange(lane.index, '0', '9'),
    client.client('LIST') as Promise<string>,
  ])
  const waitingForJobs = clients.split('\n').filter((line) => line.includes('cmd=bzpopmin')).length
  return JSON.stringify({ state, jobs, isPaused, letters, pending, waitingForJobs })
}
