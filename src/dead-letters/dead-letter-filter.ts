import type { DeadLetter } from './dead-letter.js'

/** Which dead letters are meant; what is absent matches all. */
export interface DeadLetterFilter {
  readonly runId?: string
  readonly reason?: string
  /** One of those who wrote what was refused. */
  readonly source?: string
  readonly olderThanMs?: number
}

export function matches(letter: DeadLetter, filter: DeadLetterFilter, nowMs: number): boolean {
  const { runId, reason, source, olderThanMs } = filter
  return (
    (runId === undefined || letter.runId === runId) &&
    (reason === undefined || letter.reason === reason) &&
    (source === undefined || letter.sources.includes(source)) &&
    (olderThanMs === undefined || nowMs - Date.parse(letter.deadLetteredAt) > olderThanMs)
  )
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads an age such as 45s, 30m, 2h or 7d, as milliseconds; undefined where it is none. */
export function parseAge(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const unitMs = UNIT_MS[unit]
  return count === undefined || unitMs === undefined ? undefined : Number(count) * unitMs
}
