/** Who probes a lane whose hold is over: whatever the trouble, the run that would open it has its turn. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'

const GOOD = Array.from({ length: 50 }, (_, index) => `good-${index}`)

let redis: TestRedis
let pipeline: Pipeline

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
})
afterEach(() => pipeline.close())

const held = (reason: string) =>
  waitFor(`a hold for ${reason}`, async () => (await pipeline.throttle.read()).reason === reason)

const named = (runIds: readonly string[]) => runIds.map((runId) => ({ run: { runId, name: 'n' } }))

async function expectGoodRunsToBeSent(): Promise<void> {
  await pipeline.producer.enqueueMany(named(GOOD))
  await waitFor('the good runs', () => GOOD.every((runId) => pipeline.simulator.runs.get(runId)?.name === 'n'), {
    timeoutMs: 15_000,
  })
}

describe('runs that fail by themselves do not keep the probe from the others', () => {
  test.each([2, 3, 6])('%i runs that a firewall answers with HTML', async (count) => {
    const bad = Array.from({ length: count }, (_, index) => `bad-${index}`)
    pipeline.simulator.setFaults({ html: { status: 403, runs: new Set(bad) } })
    pipeline.addWorker()
    await pipeline.producer.enqueueMany(named(bad))
    await held('unexpected_response')
    await expectGoodRunsToBeSent()
  })

  test('more runs than a storm takes that do not exist', async () => {
    const missing = Array.from({ length: 30 }, (_, index) => `missing-${index}`)
    const isMissing = new Set(missing)
    pipeline.simulator.setFaults({
      refuse: (runId) => (isMissing.has(runId) ? { code: 5, message: 'run not found' } : undefined),
    })
    pipeline.addWorker({ notFoundGraceMs: 0 })
    await pipeline.producer.enqueueMany(named(missing))
    await held('storm:run_not_found')
    await expectGoodRunsToBeSent()
  })
})

test('a storm of runs whose attempts are used up ends by the probe of one of them', async () => {
  const { producer, throttle, lane } = pipeline
  const bad = Array.from({ length: 26 }, (_, index) => `bad-${index}`)
  await producer.enqueueMany(named(bad))
  // As after as many failures while others were applied.
  for (const runId of bad) await redis.client().hset(lane.pending(runId), { failures: 25, tries: 25, appliedMark: 0 })
  pipeline.addWorker()
  await held('storm:attempts_exhausted')
  await waitFor('the lane', async () => (await throttle.read()).state === 'open')
  await pipeline.drained()
})

test('jobs that are lost in a hold come back once it is over, and one of them opens the lane', async () => {
  const { producer, throttle, simulator, flushQueue } = pipeline
  simulator.setFaults({ down: 'unavailable' })
  pipeline.addWorker()
  await producer.enqueueMany(named(GOOD))
  await held('outage')
  const isEmpty = async () => {
    await flushQueue.queue.drain(true)
    return Object.values(await flushQueue.queue.getJobCounts()).every((count) => count === 0)
  }
  await waitFor('an empty queue', isEmpty)
  simulator.setFaults({ down: undefined })
  // Updates of runs that are pending add no job.
  await producer.enqueueMany(GOOD.map((runId) => ({ run: { runId, description: 'd' } })))
  await pipeline.drained(15_000)
  expect((await throttle.read()).state).toBe('open')
})

test('the only pending run waits for its next probe without asking again and again', async () => {
  const { producer, simulator, lane } = pipeline
  const client = redis.client()
  simulator.setFaults({ html: { status: 403, runs: 'all' } })
  pipeline.addWorker({ otherRunPauseMs: 1_000, firstHoldMs: 500, longestProbePauseMs: 500 })
  await producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
  const probes = async () => Number(await client.hget(lane.throttle, 'probes'))
  const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1])
  await waitFor('a probe', async () => (await probes()) > 0)
  const before = await commands()
  await waitFor('the next', async () => (await probes()) > 1)
  // Between two probes passes a second and a half; a loop would ask thousands of times.
  expect((await commands()) - before).toBeLessThan(800)
})
