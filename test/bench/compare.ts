/** One side of a pair: does its work once, and tells how many things it did. Time is taken around it alone. */
export interface Side {
  /** Before each round, untimed. */
  prepare?(): Promise<void>
  work(): Promise<number>
}

export interface Comparison {
  /** Ours over the peer's, the median of the rounds; the spread is that of the rounds' own ratios. */
  readonly ratio: number
  readonly spread: readonly [least: number, most: number]
  /** Per second, medians. */
  readonly ours: number
  readonly peer: number
}

/**
 * Measures two sides by turns: A B A B ..., each round's ratio by itself, so that what disturbs the machine for a while
 * disturbs both. The first round warms up and does not count.
 */
export async function compare(rounds: number, ours: Side, peer: Side): Promise<Comparison> {
  const results: { ours: number; peer: number }[] = []
  for (let round = 0; round <= rounds; round++) {
    const result = { ours: await rateOf(ours), peer: await rateOf(peer) }
    if (round > 0) results.push(result)
  }
  const ratios = results.map((result) => result.ours / result.peer)
  return {
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
    ours: median(results.map((result) => result.ours)),
    peer: median(results.map((result) => result.peer)),
  }
}

async function rateOf(side: Side): Promise<number> {
  await side.prepare?.()
  globalThis.gc?.()
  const startedAt = performance.now()
  const count = await side.work()
  return (count / (performance.now() - startedAt)) * 1000
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2
}
