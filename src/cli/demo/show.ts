/**
 * The demo from its first process to its last:
 *
 *  1. the stage is set
 *  2. updates for as long as asked, while Sift has good and bad moments
 *  3. draining: until nothing is pending and every dead letter is in its place
 *  4. each run is held against the oracle
 *
 * However it ends, everything that it has started is ended, and everything that it has written is removed.
 */
import { DeadLetters } from '../../dead-letters/dead-letters.js'
import { SiftRunUpdaterError } from '../../errors.js'
import { FlushQueue } from '../../flush-queue/flush-queue.js'
import { PendingUpdates } from '../../pending/pending-updates.js'
import { DEFAULT_POLICY } from '../../policy.js'
import type { Difference } from '../../run/oracle.js'
import { Throttle } from '../../throttle/throttle.js'
import type { DemoRedis } from './demo-redis.js'
import { type Figures, toFigures } from './figures.js'
import { type LaneParts, LaneWatch } from './lane-watch.js'
import { Ledger } from './ledger.js'
import type { LiveView } from './live-view.js'
import { snapshots } from './snapshots.js'
import { type AtEnd, type StageSettings, setStage } from './stage.js'
import { sendTraffic } from './traffic.js'
import { forecast } from './weather.js'
import { count } from './wording.js'

export interface ShowSettings extends StageSettings {
  readonly durationMs: number
}

export interface ShowResult {
  readonly figures: Figures
  readonly differences: readonly Difference[]
  /** Messages of bugs that workers have met. */
  readonly crashes: readonly string[]
}

/** Nothing moved any more, and something was still pending: that is a bug. */
class NotDrainedError extends SiftRunUpdaterError {
  readonly code = 'not_drained'
}

/**
 * @throws what setting the stage throws; NotDrainedError; the signal's AbortError; and an Error where a worker process
 * or Redis is lost.
 */
export async function runShow(settings: ShowSettings, view: LiveView, signal: AbortSignal): Promise<ShowResult> {
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
  atEnd: AtEnd,
): Promise<ShowResult> {
  const { runs, updatesPerSecond, durationMs } = settings
  const stage = await setStage(settings, (line) => view.say(line), interrupted, atEnd)
  const { simulator, scenario, producers, tally } = stage
  const ledger = new Ledger(simulator.runs)
  const parts = laneParts(stage.redis)
  atEnd(() => Promise.all([parts.flushQueue.close(), parts.deadLetters.close()]))
  const watch = new LaneWatch(parts)
  const stop = new AbortController()
  atEnd(async () => stop.abort())
  const signal = AbortSignal.any([interrupted, stop.signal])

  const weatherAt = forecast(durationMs, stage.requestsPerSecond)
  const take = snapshots({ settings, ledger, tally, watch, simulator, weatherAt })
  const watching = watch.follow((lane) => view.show(take(lane)), signal)
  const sending = sendTraffic({ scenario, producers, ledger, updatesPerSecond, durationMs, signal })
  const drained = sending.then(() => drain(watch, () => tally.patches, signal))
  await Promise.race([drained, watching, stage.workerLost])

  const deadLetterReasons: string[] = []
  for await (const { data } of parts.deadLetters.list()) {
    ledger.refuse(data)
    deadLetterReasons.push(data.reason)
  }
  const differences = ledger.compare(simulator.runs)
  const { updates } = ledger
  const { holds } = watch
  const maxInFlightPerRun = simulator.maxInFlightPerRun()
  const figures = toFigures({ updates, runs, tally, holds, deadLetterReasons, differences, maxInFlightPerRun })
  return { figures, differences, crashes: [...tally.crashes] }
}

async function drain(watch: LaneWatch, progress: () => number, signal: AbortSignal): Promise<void> {
  if (await watch.drain(progress, signal)) return
  const { pendingRuns } = await watch.look()
  throw new NotDrainedError(`${count(pendingRuns)} runs are still pending, and nothing has moved for a long time`)
}

function laneParts({ connection, lane }: DemoRedis): LaneParts {
  const flushQueue = new FlushQueue(connection, lane)
  const pending = new PendingUpdates(connection, lane, DEFAULT_POLICY)
  const deadLetters = new DeadLetters(connection, lane, pending, flushQueue, DEFAULT_POLICY)
  return { redis: connection, lane, flushQueue, deadLetters, throttle: new Throttle(connection, lane, DEFAULT_POLICY) }
}
