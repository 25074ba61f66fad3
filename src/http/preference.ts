/** How long a client without a preference is ready to wait: as long as it would have waited for Sift. */
const DEFAULT_WAIT_MS = 10_000

/** Proxies in between give up on a request after a minute. */
const LONGEST_WAIT_MS = 50_000

/**
 * How long a client wants to wait for an outcome, from its `Prefer` header (RFC 7240): `wait=N` seconds, or not at all
 * with `respond-async`; with both, as long as it says. What can't be read is passed over: a preference is no order.
 */
export function readWaitMs(prefer: string | readonly string[] | undefined): number {
  const preferences = [prefer ?? []].flat().flatMap((line) => line.toLowerCase().split(','))
  let isAsync = false
  for (const preference of preferences) {
    const [text = ''] = preference.split(';')
    const [, seconds] = /^wait\s*=\s*"?(\d{1,9})"?$/.exec(text.trim()) ?? []
    if (seconds !== undefined) return Math.min(Number(seconds) * 1_000, LONGEST_WAIT_MS)
    if (text.trim() === 'respond-async') isAsync = true
  }
  return isAsync ? 0 : DEFAULT_WAIT_MS
}
