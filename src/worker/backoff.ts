import type { Policy } from '../policy.js'

/**
 * How long a run rests after its n-th failed try in a row: doubling from the shortest to the longest, with up to half
 * of it taken off at random, so that runs that failed together don't come back together. `random` is in [0, 1).
 */
export function backoffMs(
  tries: number,
  policy: Pick<Policy, 'minBackoffMs' | 'maxBackoffMs'>,
  random: number,
): number {
  const doublings = Math.min(Math.max(tries - 1, 0), 30)
  const fullMs = Math.min(policy.minBackoffMs * 2 ** doublings, policy.maxBackoffMs)
  return Math.max(policy.minBackoffMs, fullMs * (1 - random / 2))
}
