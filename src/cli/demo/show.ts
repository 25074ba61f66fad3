/**
 * The demo from its first process to its last:
 *
 *  1. a Redis, a simulated Sift with all runs in it, worker processes, producers
 *  2. updates for as long as asked, while Sift has good and bad moments
 *  3. draining: until nothing is pending and every dead letter is in its place
 *  4. each run held against the oracle
 *
 * However it ends, everything that it has started is ended, and everything that it has written is removed.
 */
import { DeadLetters } from '../../dead-letters/dead-letters.js'
import { SiftRunUpdaterError } from '../../errors.js'
import { FlushQueue } from '../../flush-queue/flush-queue.js'
import { PendingUpdates } from '../../pending/pending-updates.js'
import { DEFAULT_POLICY } from '../../policy.js'
import { createProducer } from '../../producer/producer.js'
import type { Difference } from '../../run/oracle.js'
import { type Simulator, startSimulator } from '../../simulator/simulator.js'
import { Throttle } from '../../throttle/throttle.js'
import { type DemoRedis, openDemoRedis } from './demo-redis.js'
import { type Figures, toFigures } from './figures.js'
import { type LaneParts, LaneWatch } from './lane-watch.js'
import { Ledger } from './ledger.js'
import type { LiveView } from './live-view.js'
import { Scenario } from './scenario.js'
import { snapshots } from './snapshots.js'
import { Tally } from './tally.js'
import { sendTraffic } from './traffic.js'
import { forecast } from './weather.js'
import { count } from './wording.js'
import { startWorkers } from './worker-fleet.js'

export interface ShowSettings {
  readonly durationMs: number
  readonly runs: number
  readonly updatesPerSecond: number
  /** Undefined: a Redis of its own. */
  readonly redisUrl: string | undefined
}

export interface ShowResult {
  readonly figures: Figures
  readonly differences: readonly Difference[]
  /** Messages of bugs that workers have met. */
  readonly crashes: readonly string[]
}

/** Nothing moved any more, and something was still pending: that is a bug. */
export class NotDrainedError extends SiftRunUpdaterError {
  readonly code = 'not_drained'
}

const SEED = 1
const WORKERS = 3
const PRODUCERS = 3
const API_KEY = 'demo'
const LATENCY = { latencyMs: 15, latencyJitterMs: 30 }

/**
 * @throws the signal's AbortError; RedisServerNotFoundError, RedisUnavailableError; NotDrainedError; and an Error where
 * a worker process is lost.
 */
export async function runShow(settings: ShowSettings, view: LiveView, signal: AbortSignal): Promise<ShowResult> {
  /** What ends each thing that was started, in the order of the starts. */
  const endings: (() => Promise<unknown>)[] = []
  try {
    return await play(settings, view, signal, (ending) => endings.push(ending))
  } finally {
    await endAll(endings.reverse())
  }
}

/** One that fails must not keep the others from ending. */
async function endAll(endings: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = []
  for (const ending of endings) await ending().catch((error: unknown) => failures.push(error))
  if (failures.length > 0) throw failures[0]
}

async function play(
  settings: ShowSettings,
  view: LiveView,
  interrupted: AbortSignal,
  atEnd: (ending: () => Promise<unknown>) => void,
): Promise<ShowResult> {
  const { runs, updatesPerSecond, durationMs } = settings
  const requestsPerSecond = requestRate(runs)
  const redis = await openDemoRedis(settings.redisUrl, (message) => view.say(`${message} …`))
  atEnd(redis.close)
  interrupted.throwIfAborted()

  const scenario = new Scenario(runs, SEED)
  const simulator = await startSimulator({ apiKey: API_KEY, seed: SEED, faults: LATENCY })
  atEnd(simulator.close)
  for (const runId of scenario.runIds) createRun(simulator, runId, scenario.foreignKeys.get(runId))
  const ledger = new Ledger(simulator.runs)
  const tally = new Tally()
  tally.watch(simulator)

  const { queueName, prefix } = redis.lane
  const lane = { redis: redis.url, queueName, queuePrefix: prefix }
  const rateLimit = { max: requestsPerSecond, durationMs: 1_000 }
  const orders = { ...lane, sift: { baseUrl: simulator.url, apiKey: API_KEY }, rateLimit }
  const fleet = await startWorkers(WORKERS, orders, (message) => tally.take(message))
  atEnd(fleet.close)
  const producers = Array.from({ length: PRODUCERS }, () => createProducer(lane))
  for (const producer of producers) atEnd(() => producer.close())
  view.say(introduction(settings, requestsPerSecond, redis, simulator))
  interrupted.throwIfAborted()

  const parts = laneParts(redis)
  atEnd(() => Promise.all([parts.flushQueue.close(), parts.deadLetters.close()]))
  const watch = new LaneWatch(parts)
  const stop = new AbortController()
  atEnd(async () => stop.abort())
  const signal = AbortSignal.any([interrupted, stop.signal])
  const take = snapshots({
    settings,
    ledger,
    tally,
    watch,
    simulator,
    weatherAt: forecast(durationMs, requestsPerSecond),
  })
  const watching = watch.follow((lane) => view.show(take(lane)), signal)

  const sendAll = async () => {
    await sendTraffic({ scenario, producers, ledger, updatesPerSecond, durationMs, signal })
    if (await watch.drain(() => tally.patches, signal)) return
    const { pendingRuns } = await watch.look()
    throw new NotDrainedError(`${count(pendingRuns)} runs are still pending, and nothing has moved for a long time`)
  }
  await Promise.race([sendAll(), watching, fleet.lost])
  view.show(take(await watch.look()))

  const deadLetterReasons: string[] = []
  for await (const { data } of parts.deadLetters.list()) {
    ledger.refuse(data)
    deadLetterReasons.push(data.reason)
  }
  const differences = ledger.compare(simulator.runs)
  const figures = toFigures({
    runs,
    tally,
    deadLetterReasons,
    differences,
    updates: ledger.updates,
    holds: watch.holds,
    maxInFlightPerRun: simulator.maxInFlightPerRun(),
  })
  return { figures, differences, crashes: [...tally.crashes] }
}

function introduction(
  { updatesPerSecond, runs }: ShowSettings,
  requestsPerSecond: number,
  redis: DemoRedis,
  simulator: Simulator,
): string {
  return [
    `${PRODUCERS} producers   ${count(updatesPerSecond)} updates a second for ${count(runs)} runs`,
    `${WORKERS} workers     may send ${requestsPerSecond} requests a second, all together`,
    `Redis         ${redis.description}`,
    `Sift          simulated, ${simulator.url}`,
    '',
  ].join('\n')
}

/** A request for each run every four seconds: few enough to make many updates into one, and 50 for 200 runs. */
function requestRate(runs: number): number {
  return Math.min(200, Math.max(20, Math.round(runs / 4)))
}

function createRun(simulator: Simulator, runId: string, clientKey: string | undefined): void {
  simulator.createRun(runId, clientKey === undefined ? {} : { clientKey })
}

function laneParts({ connection, lane }: DemoRedis): LaneParts {
  const flushQueue = new FlushQueue(connection, lane)
  const pending = new PendingUpdates(connection, lane, DEFAULT_POLICY)
  const deadLetters = new DeadLetters(connection, lane, pending, flushQueue, DEFAULT_POLICY)
  return { redis: connection, lane, flushQueue, deadLetters, throttle: new Throttle(connection, lane, DEFAULT_POLICY) }
}
