import type { Difference } from '../../run/oracle.js'
import { percentile, type Tally } from './tally.js'

/** What a demo has come to, as `--json` prints it. */
export interface Figures {
  readonly updates: number
  /** As Sift has seen them, refused and unanswered ones included. */
  readonly patches: number
  readonly runs: number
  /** Runs that hold something else than they must. */
  readonly differing: number
  readonly updatesPerPatch: number
  /** Of each field: from its arrival in Redis until Sift had applied it. Null where nothing was applied. */
  readonly latencyMs: { readonly p50: number | null; readonly p99: number | null }
  /** Requests that ended badly, and were sent again. */
  readonly retries: number
  /** By reason, as in `retries`. */
  readonly retriesByReason: Readonly<Record<string, number>>
  readonly holds: number
  readonly holdsByReason: Readonly<Record<string, number>>
  readonly deadLetters: { readonly total: number; readonly byReason: Readonly<Record<string, number>> }
  /** PATCHes of one run that were open at once, at the most, over all processes. */
  readonly maxInFlightPerRun: number
}

export interface Outcome {
  readonly updates: number
  readonly runs: number
  readonly tally: Tally
  /** The reason of each hold. */
  readonly holds: readonly string[]
  /** The reason of each dead letter. */
  readonly deadLetterReasons: readonly string[]
  readonly differences: readonly Difference[]
  readonly maxInFlightPerRun: number
}

export function toFigures(outcome: Outcome): Figures {
  const { updates, runs, tally, holds, deadLetterReasons, differences } = outcome
  return {
    updates,
    patches: tally.patches,
    runs,
    differing: new Set(differences.map(({ runId }) => runId)).size,
    updatesPerPatch: Math.round((updates / Math.max(1, tally.patches)) * 10) / 10,
    latencyMs: { p50: rounded(percentile(tally.latenciesMs, 0.5)), p99: rounded(percentile(tally.latenciesMs, 0.99)) },
    retries: tally.failed,
    retriesByReason: Object.fromEntries(tally.failures),
    holds: holds.length,
    holdsByReason: countByReason(holds),
    deadLetters: { total: deadLetterReasons.length, byReason: countByReason(deadLetterReasons) },
    maxInFlightPerRun: outcome.maxInFlightPerRun,
  }
}

const rounded = (value: number | null): number | null => (value === null ? null : Math.round(value))

function countByReason(reasons: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const reason of reasons) counts[reason] = (counts[reason] ?? 0) + 1
  return counts
}
