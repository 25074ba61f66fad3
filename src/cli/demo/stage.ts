/** What stands ready before the first update: a Redis, a Sift with all the runs in it, worker processes, producers. */
import { createProducer, type RunUpdateProducer } from '../../producer/producer.js'
import { type Simulator, startSimulator } from '../../simulator/simulator.js'
import { type DemoRedis, openDemoRedis } from './demo-redis.js'
import { Scenario } from './scenario.js'
import { Tally } from './tally.js'
import { count } from './wording.js'
import { startWorkers } from './worker-fleet.js'

export interface StageSettings {
  readonly runs: number
  readonly updatesPerSecond: number
  /** Undefined: a Redis of its own. */
  readonly redisUrl: string | undefined
}

export interface Stage {
  readonly redis: DemoRedis
  readonly simulator: Simulator
  readonly scenario: Scenario
  readonly producers: readonly RunUpdateProducer[]
  /** Counts from the first request on. */
  readonly tally: Tally
  readonly requestsPerSecond: number
  /** Rejects when a worker process ends that nobody has closed. */
  readonly workerLost: Promise<never>
}

/** Takes in what ends a thing that was started; called for each in the order of the starts. */
export type AtEnd = (ending: () => Promise<unknown>) => void

const SEED = 1
const WORKERS = 3
const PRODUCERS = 3
const API_KEY = 'demo'
const LATENCY = { latencyMs: 15, latencyJitterMs: 30 }

/**
 * @param say told each line that people should see
 * @throws RedisServerNotFoundError, RedisServerFailedError, RedisUnavailableError; Error where a worker can't start; the
 * signal's AbortError
 */
export async function setStage(
  settings: StageSettings,
  say: (line: string) => void,
  signal: AbortSignal,
  atEnd: AtEnd,
): Promise<Stage> {
  const { runs, updatesPerSecond } = settings
  const redis = await openDemoRedis(settings.redisUrl, (message) => say(`${message} …`))
  atEnd(redis.close)
  signal.throwIfAborted()

  const scenario = new Scenario(runs, SEED)
  const simulator = await startSimulator({ apiKey: API_KEY, seed: SEED, faults: LATENCY })
  atEnd(simulator.close)
  for (const runId of scenario.runIds) {
    const clientKey = scenario.foreignKeys.get(runId)
    simulator.createRun(runId, clientKey === undefined ? {} : { clientKey })
  }
  const tally = new Tally()
  tally.watch(simulator)

  const requestsPerSecond = requestRate(runs)
  const lane = { redis: redis.url, queueName: redis.lane.queueName, queuePrefix: redis.lane.prefix }
  const sift = { baseUrl: simulator.url, apiKey: API_KEY }
  const rateLimit = { max: requestsPerSecond, durationMs: 1_000 }
  const fleet = await startWorkers(WORKERS, { ...lane, sift, rateLimit }, (message) => tally.take(message))
  atEnd(fleet.close)
  signal.throwIfAborted()

  const producers = Array.from({ length: PRODUCERS }, () => createProducer(lane))
  for (const producer of producers) atEnd(() => producer.close())
  say(`${PRODUCERS} producers   ${count(updatesPerSecond)} updates a second for ${count(runs)} runs`)
  say(`${WORKERS} workers     may send ${requestsPerSecond} requests a second, all together`)
  say(`Redis         ${redis.description}`)
  say(`Sift          simulated, ${simulator.url}`)
  say('')
  return { redis, simulator, scenario, producers, tally, requestsPerSecond, workerLost: fleet.lost }
}

/** A request for each run every four seconds: few enough to make many updates into one, and 50 for 200 runs. */
function requestRate(runs: number): number {
  return Math.min(200, Math.max(20, Math.round(runs / 4)))
}
