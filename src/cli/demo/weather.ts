import type { Faults } from '../../simulator/faults.js'

/** What Sift is like for a while, and in which words the demo tells it. */
export interface Weather {
  readonly label: string
  readonly faults: Pick<Faults, 'errors' | 'lostAnswerRate' | 'down' | 'rateLimit'>
}

/** Never quite fair: such are the days of an API. */
const FAIR: Weather = {
  label: 'up, 3 % of requests fail',
  faults: { errors: { 503: 0.02 }, lostAnswerRate: 0.01, down: undefined, rateLimit: undefined },
}

const OUTAGE: Weather = { label: 'down, answers 503', faults: { ...FAIR.faults, down: 'unavailable' } }

/** Where each spell begins, as a share of the demo: the first PATCHes come one window after the first updates. */
const OUTAGE_BEGINS = 0.4
const SQUEEZE_BEGINS = 0.7
const SPELL_SHARE = 0.08
const LEAST_SPELL_MS = 400

/**
 * The forecast of one demo: fair, an outage, and a while in which Sift takes less than our rate, and tells in a
 * sentence how long to wait.
 * @param requestsPerSecond our own rate
 */
export function forecast(durationMs: number, requestsPerSecond: number): (elapsedMs: number) => Weather {
  const squeezedTo = Math.ceil(requestsPerSecond / 4)
  const squeeze: Weather = {
    label: `busy, 429 above ${squeezedTo}/s`,
    faults: { ...FAIR.faults, rateLimit: { max: squeezedTo, durationMs: 1_000 } },
  }
  const spellMs = Math.max(LEAST_SPELL_MS, durationMs * SPELL_SHARE)
  const isWithin = (elapsedMs: number, begins: number): boolean =>
    elapsedMs >= durationMs * begins && elapsedMs < durationMs * begins + spellMs
  return (elapsedMs) => {
    if (isWithin(elapsedMs, OUTAGE_BEGINS)) return OUTAGE
    return isWithin(elapsedMs, SQUEEZE_BEGINS) ? squeeze : FAIR
  }
}
