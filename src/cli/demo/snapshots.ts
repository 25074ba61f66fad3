import type { Simulator } from '../../simulator/simulator.js'
import type { LaneView, LaneWatch } from './lane-watch.js'
import type { Ledger } from './ledger.js'
import type { Snapshot } from './progress.js'
import { Speedometer } from './speedometer.js'
import type { Tally } from './tally.js'
import type { Weather } from './weather.js'

interface Sights {
  readonly settings: { readonly durationMs: number; readonly runs: number }
  readonly ledger: Ledger
  readonly tally: Tally
  readonly watch: LaneWatch
  readonly simulator: Simulator
  readonly weatherAt: (elapsedMs: number) => Weather
}

/** The clock of the show: each look at it moves the weather on, and tells how things stand. */
export function snapshots({
  settings,
  ledger,
  tally,
  watch,
  simulator,
  weatherAt,
}: Sights): (view: LaneView) => Snapshot {
  const startedAt = performance.now()
  const updatesPerSecond = new Speedometer()
  const patchesPerSecond = new Speedometer()
  const { durationMs, runs } = settings
  let current: Weather | undefined
  return ({ pendingRuns, deadLetters, state }) => {
    const elapsedMs = performance.now() - startedAt
    const weather = weatherAt(elapsedMs)
    if (weather !== current) simulator.setFaults(weather.faults)
    current = weather
    return {
      phase: elapsedMs < durationMs ? 'sending' : 'draining',
      elapsedMs,
      durationMs,
      runs,
      pendingRuns,
      deadLetters,
      updates: ledger.updates,
      patches: tally.patches,
      updatesPerSecond: updatesPerSecond.read(ledger.updates, elapsedMs),
      patchesPerSecond: patchesPerSecond.read(tally.patches, elapsedMs),
      failed: tally.failed,
      holds: watch.holds.length,
      lane: { reason: state.reason, remainingMs: state.remainingMs },
      weather: weather.label,
    }
  }
}
