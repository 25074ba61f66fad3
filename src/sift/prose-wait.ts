/**
 * Sift tells the wait of a rate limit in the prose of its message only. A wait is, in this order: a cue ("retry",
 * "wait", "resets"), any of a few filler words ("in", "after"), and a duration ("1m30s", "2 minutes"). Everything
 * else that has digits is none: "100 requests per 60 seconds" has no cue before it. A number without a unit is none
 * either: which unit was meant would be a guess.
 */

/** A message that takes longer to come to the point is not meant for people. It bounds the work, too. */
const MAX_PROSE_LENGTH = 4096

const CUES = new Set(['retry', 'retryafter', 'again', 'wait', 'reset', 'resets', 'available'])

const FILLERS = new Set(
  'in after for at least about around approximately another the this your request time is again : = _ - ~'.split(' '),
)

const UNITS_MS: ReadonlyArray<readonly [ms: number, names: string]> = [
  [86_400_000, 'd day days'],
  [3_600_000, 'h hr hrs hour hours'],
  [60_000, 'm min mins minute minutes'],
  [1000, 's sec secs second seconds'],
  [1, 'ms msec msecs millisecond milliseconds'],
  [1e-3, 'us µs μs microsecond microseconds'],
  [1e-6, 'ns nanosecond nanoseconds'],
]

const MS_OF_UNIT = new Map(UNITS_MS.flatMap(([ms, names]) => names.split(' ').map((name) => [name, ms] as const)))

/** A number, a word, or any other single character. No part can match in two ways, so the search is linear. */
const TOKEN = /\d+(?:\.\d+)?|[a-zµμ]+|\S/g

/** The first wait that a message tells, in milliseconds; undefined where it tells none. */
export function waitInProse(message: string): number | undefined {
  const tokens = message.slice(0, MAX_PROSE_LENGTH).toLowerCase().match(TOKEN) ?? []
  let cued = false
  for (const [index, token] of tokens.entries()) {
    if (CUES.has(token)) {
      cued = true
    } else if (cued && !FILLERS.has(token)) {
      const wait = tokens[index - 1] === '-' ? undefined : durationAt(tokens, index)
      if (wait !== undefined) return wait
      cued = false
    }
  }
  return undefined
}

/** Reads number and unit, again and again as long as the units get smaller: 1h2m3s, 1 minute and 30 seconds. */
function durationAt(tokens: readonly string[], start: number): number | undefined {
  let total: number | undefined
  let smallest = Number.POSITIVE_INFINITY
  let index = start
  for (;;) {
    const amount = Number(tokens[index])
    const unit = MS_OF_UNIT.get(tokens[index + 1] ?? '')
    if (!Number.isFinite(amount) || unit === undefined || unit >= smallest) break
    total = (total ?? 0) + amount * unit
    smallest = unit
    index += 2
    if (tokens[index] === 'and' || tokens[index] === ',') index += 1
  }
  const whole = total === undefined ? undefined : Math.round(total)
  return Number.isSafeInteger(whole) ? whole : undefined
}
