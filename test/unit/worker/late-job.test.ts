import { describe, expect, test } from 'vitest'
import type { DelayedJob } from '../../../src/flush-queue/flush-queue.js'
import { DEFAULT_POLICY } from '../../../src/policy.js'
import { isLate } from '../../../src/worker/late-job.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const YEAR = 8_760 * HOUR
const NOW = Date.parse('2026-03-01T10:00:00Z')

interface Case {
  /** How far ahead of the worker's clock the job is due. */
  readonly dueIn: number
  readonly delayMs: number
  /** How long ago the run was opened, by Redis's clock. */
  readonly openedAgo: number
  readonly late: boolean
}

function expectLate({ dueIn, delayMs, openedAgo, late }: Case, wasTaken: boolean): void {
  const job: DelayedJob = { dueMs: NOW + dueIn, delayMs, wasTaken }
  expect(isLate(job, NOW - openedAgo, { redisMs: NOW, localMs: NOW }, DEFAULT_POLICY)).toBe(late)
}

describe('a job that waits for its window', () => {
  test.each<[string, Case]>([
    ['is not late before it is over', { dueIn: 1, delayMs: SECOND, openedAgo: 999, late: false }],
    ['nor in the seconds after it', { dueIn: HOUR, delayMs: SECOND, openedAgo: 6 * SECOND, late: false }],
    ['is late then, however far ahead', { dueIn: 1, delayMs: SECOND, openedAgo: 6 * SECOND + 1, late: true }],
    ['has an hour, if that is its window', { dueIn: 1, delayMs: HOUR, openedAgo: HOUR, late: false }],
    ["has it by Redis's clock", { dueIn: 2 * HOUR, delayMs: HOUR, openedAgo: 30 * MINUTE, late: false }],
    ['is late where a person has put it off', { dueIn: YEAR, delayMs: YEAR, openedAgo: 3 * SECOND, late: true }],
    ['is late where a person has moved it', { dueIn: YEAR, delayMs: SECOND, openedAgo: 7 * SECOND, late: true }],
    [
      "waits no longer than its window where Redis's clock was set back",
      { dueIn: HOUR, delayMs: SECOND, openedAgo: -HOUR, late: true },
    ],
    ['and for all of it', { dueIn: SECOND, delayMs: SECOND, openedAgo: -HOUR, late: false }],
  ])('%s', (_name, one) => expectLate(one, false))
})

describe('a job that comes again', () => {
  test.each<[string, Case]>([
    ['is not late within the longest backoff', { dueIn: 5 * MINUTE, delayMs: SECOND, openedAgo: HOUR, late: false }],
    ['is late beyond it', { dueIn: 5 * MINUTE + 6 * SECOND, delayMs: SECOND, openedAgo: HOUR, late: true }],
    ['has the wait that Sift stated', { dueIn: 15 * MINUTE, delayMs: 15 * MINUTE, openedAgo: HOUR, late: false }],
    ['and no more', { dueIn: 16 * MINUTE, delayMs: 15 * MINUTE, openedAgo: HOUR, late: true }],
    ['is late where a person has put it off', { dueIn: YEAR, delayMs: YEAR, openedAgo: HOUR, late: true }],
    ['is late where a person has moved it', { dueIn: YEAR, delayMs: SECOND, openedAgo: HOUR, late: true }],
  ])('%s', (_name, one) => expectLate(one, true))
})
