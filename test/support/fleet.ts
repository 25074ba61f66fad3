import { expect } from 'vitest'
import type { RunUpdate } from '../../src/run/run-update.js'
import type { SimulatorOptions } from '../../src/simulator/simulator.js'
import type { RunFields } from '../../src/simulator/update-request.js'
import type { WorkerOptions } from '../../src/worker/worker.js'
import { expectEveryRunEqualsOracle, Ledger, sendAll } from './ledger.js'
import { type Pipeline, QUICK, startPipeline } from './pipeline.js'
import type { TestRedis } from './redis.js'
import { startWorkerProcess, type WorkerProcess } from './worker-process.js'

/** The shortest lock that BullMQ keeps on a busy machine: what a killed worker held comes back after it. */
export const LOCK_MS = 1_000

export interface FleetOptions {
  /** Worker processes. Default: three. */
  readonly workers?: number
  /** Producers in this process. Default: two. */
  readonly producers?: number
  readonly worker?: Partial<Omit<WorkerOptions, 'redis' | 'queueName' | 'sift'>>
  /** Each worker process reads its key from this file, again after a 401. */
  readonly apiKeyFile?: string
  readonly simulator?: SimulatorOptions
  /** Runs that Sift has before the first update. */
  readonly initialRuns?: ReadonlyMap<string, RunFields>
}

/** A lane with several worker processes, several producers, and a ledger of what they acknowledged. */
export interface Fleet {
  readonly pipeline: Pipeline
  readonly ledger: Ledger
  readonly workers: readonly WorkerProcess[]
  /** Sends through all producers at once, in small batches; `afterBatch` is told how many batches one of them has sent. */
  send(updates: readonly RunUpdate[], afterBatch?: (batches: number) => unknown): Promise<void>
  startWorkers(count: number): Promise<void>
  /** SIGKILL to one, and another process in its place. */
  replaceWorker(index: number): Promise<void>
  /** Waits until all is sent: every run equals the oracle, and no two PATCHes of a run were ever in flight at once. */
  expectNothingLost(timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

const BATCH = 25

export async function startFleet(redis: TestRedis, options: FleetOptions = {}): Promise<Fleet> {
  const { workers: workerCount = 3, producers: producerCount = 2, apiKeyFile } = options
  const pipeline = await startPipeline(redis, options.simulator)
  for (const [runId, fields] of options.initialRuns ?? []) pipeline.simulator.createRun(runId, fields)
  const ledger = new Ledger(pipeline.simulator.runs)
  const producers = [pipeline.producer]
  while (producers.length < producerCount) producers.push(pipeline.addProducer())
  const startWorker = () =>
    startWorkerProcess({
      redis: redis.url,
      queueName: pipeline.lane.queueName,
      sift: { baseUrl: pipeline.simulator.url, apiKey: apiKeyFile === undefined ? 'a-key' : { file: apiKeyFile } },
      rateLimit: { max: 1_000, durationMs: 1_000 },
      ...QUICK,
      lockDurationMs: LOCK_MS,
      stalledIntervalMs: 300,
      ...options.worker,
    })
  const workers = await Promise.all(Array.from({ length: workerCount }, startWorker))

  return {
    pipeline,
    ledger,
    workers,
    async send(updates, afterBatch = () => {}) {
      const batches: RunUpdate[][] = []
      for (let start = 0; start < updates.length; start += BATCH) batches.push(updates.slice(start, start + BATCH))
      await Promise.all(
        producers.map(async (producer, index) => {
          const own = batches.filter((_, number) => number % producers.length === index)
          for (const [number, batch] of own.entries()) {
            await sendAll(producer, batch, ledger)
            await afterBatch(number + 1)
          }
        }),
      )
    },
    async startWorkers(count) {
      workers.push(...(await Promise.all(Array.from({ length: count }, startWorker))))
    },
    async replaceWorker(index) {
      await workers[index]?.kill()
      workers[index] = await startWorker()
    },
    async expectNothingLost(timeoutMs) {
      await expectEveryRunEqualsOracle(pipeline, ledger, timeoutMs)
      expect(pipeline.simulator.maxInFlightPerRun()).toBe(1)
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.kill()))
      await pipeline.close()
    },
  }
}
