import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Pipeline, QUICK, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { startWorkerProcess, type WorkerProcess } from '../../support/worker-process.js'

const RUNS = 200
const LOCK_MS = 1_000

let redis: TestRedis
let pipeline: Pipeline
let workers: WorkerProcess[]

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
  pipeline.simulator.setFaults({ latencyMs: 60, latencyJitterMs: 60 })
  workers = await Promise.all([startWorker(), startWorker()])
})
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill()))
  await pipeline.close()
})

function startWorker(): Promise<WorkerProcess> {
  return startWorkerProcess({
    redis: redis.url,
    queueName: pipeline.lane.queueName,
    sift: { baseUrl: pipeline.simulator.url, apiKey: 'a-key' },
    rateLimit: { max: 1_000, durationMs: 1_000 },
    concurrency: 40,
    ...QUICK,
    lockDurationMs: LOCK_MS,
    stalledIntervalMs: 300,
  })
}

async function writeRound(name: string): Promise<void> {
  await pipeline.producer.enqueueMany(Array.from({ length: RUNS }, (_, i) => ({ run: { runId: `run-${i}`, name } })))
}

/** Several rounds over all runs, so that most of them are written while they are being sent. */
async function writeAllRuns(rounds: number, afterRound: (round: number) => Promise<unknown> = async () => {}) {
  for (let round = 1; round <= rounds; round++) {
    await writeRound(`round ${round}`)
    await afterRound(round)
    await pipeline.simulator.next('finished')
  }
}

async function expectTheLastRoundAppliedAlone(rounds: number): Promise<void> {
  await pipeline.drained(30_000)
  const names = Array.from({ length: RUNS }, (_, i) => pipeline.simulator.runs.get(`run-${i}`)?.name)
  expect(new Set(names)).toEqual(new Set([`round ${rounds}`]))
  expect(pipeline.simulator.maxInFlightPerRun()).toBe(1)
}

test('two worker processes never have two PATCHes of a run in flight', async () => {
  await writeAllRuns(30)
  await expectTheLastRoundAppliedAlone(30)
})

test('nor where the queue is obliterated by force again and again', async () => {
  await writeAllRuns(12, async (round) => {
    if (round % 3 !== 0) return
    await pipeline.simulator.next('request')
    await pipeline.flushQueue.queue.obliterate({ force: true })
  })
  await expectTheLastRoundAppliedAlone(12)
})

test('nor where a worker is stopped for longer than its lock, and wakes up', async () => {
  const [frozen] = workers
  await writeAllRuns(10, async (round) => {
    if (round !== 5) return
    await pipeline.simulator.next('request')
    frozen?.freeze()
    // The other worker can only send all once the frozen one's locks, and its leases, are over.
    await pipeline.drained(30_000)
    await writeRound('while it was frozen')
    frozen?.thaw()
  })
  await expectTheLastRoundAppliedAlone(10)
})
