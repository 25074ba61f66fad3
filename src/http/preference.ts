/** How long a client without a preference is ready to wait: as long as it would have waited for Sift. */
const DEFAULT_WAIT_MS = 10_000

/** Proxies in between give up on a request after a minute. */
const LONGEST_WAIT_MS = 50_000

export interface Preference {
  readonly waitMs: number
  /** What is honoured of it, for `Preference-Applied`; empty: nothing. */
  readonly applied: string
}

/**
 * How long a client wants to wait for an outcome, from its `Prefer` header (RFC 7240): `wait=N` seconds, or not at all
 * with `respond-async`; with both, as long as it says. What can't be read is passed over: a preference is no order.
 */
export function readPreference(prefer: string | readonly string[] | undefined): Preference {
  const preferences = [prefer ?? []].flat().flatMap((line) => line.toLowerCase().split(','))
  const applied: string[] = []
  let waitMs: number | undefined
  for (const preference of preferences) {
    const [text = ''] = preference.split(';')
    const [, seconds] = /^wait\s*=\s*"?(\d{1,9})"?$/.exec(text.trim()) ?? []
    if (text.trim() === 'respond-async') applied.push('respond-async')
    // The first of several counts.
    if (seconds === undefined || waitMs !== undefined) continue
    waitMs = Math.min(Number(seconds) * 1_000, LONGEST_WAIT_MS)
    if (waitMs === Number(seconds) * 1_000) applied.push(`wait=${Number(seconds)}`)
  }
  return { waitMs: waitMs ?? (applied.includes('respond-async') ? 0 : DEFAULT_WAIT_MS), applied: applied.join(', ') }
}
