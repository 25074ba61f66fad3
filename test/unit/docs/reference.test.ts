import { describe, expect, test } from 'vitest'
import type { Figures } from '../../../src/cli/demo/figures.js'
import type { DeadLetterListing, DeadLetterReason } from '../../../src/dead-letters/dead-letter.js'
import { classifyAnswer } from '../../../src/sift/classify.js'
import { MEANING_OF_CODE, MEANING_OF_STATUS } from '../../../src/sift/meanings.js'
import type { HeldReason, ThrottledReason, TransientReason } from '../../../src/sift/verdict.js'
import type { RunReport } from '../../../src/worker/run-report.js'
import type { LaneStatus } from '../../../src/worker/status.js'
import { type Leaf, readLeaves } from './commands.js'
import { codeOf, readDocument, readTable } from './tables.js'

const reference = readDocument('docs/reference.md')

// These lists hold each key of a type and no other, or they don't compile: so the page can be compared with types.
const STATUS: Record<keyof LaneStatus, true> = {
  pendingRuns: true,
  oldestPendingAgeMs: true,
  drainEstimateMs: true,
  jobs: true,
  deadLetters: true,
  throttle: true,
}
const RUN_REPORT: Record<keyof RunReport, true> = {
  runId: true,
  pending: true,
  lastSent: true,
  applied: true,
  deadLetters: true,
}
const LISTING: Record<keyof DeadLetterListing, true> = {
  id: true,
  runId: true,
  run: true,
  updateMask: true,
  reason: true,
  httpStatus: true,
  code: true,
  message: true,
  deadLetteredAt: true,
  attempts: true,
  sources: true,
  heldClientKey: true,
}
const FIGURES: Record<keyof Figures, true> = {
  updates: true,
  patches: true,
  runs: true,
  differing: true,
  updatesPerPatch: true,
  latencyMs: true,
  retries: true,
  retriesByReason: true,
  holds: true,
  holdsByReason: true,
  deadLetters: true,
  maxInFlightPerRun: true,
}
const DEAD_LETTER_REASONS: Record<DeadLetterReason, true> = {
  invalid_argument: true,
  failed_precondition: true,
  out_of_range: true,
  already_exists: true,
  permission_denied: true,
  run_not_found: true,
  unimplemented: true,
  payload_too_large: true,
  client_key_conflict: true,
  attempts_exhausted: true,
  corrupt_entry: true,
}
const HOLD_REASONS: Record<HeldReason | ThrottledReason | 'outage' | `storm:${'<reason>'}` | 'operator', true> = {
  rate_limited: true,
  unauthenticated: true,
  unexpected_response: true,
  outage: true,
  'storm:<reason>': true,
  operator: true,
}
const RESTS_FIRST: Record<Exclude<TransientReason, `http_${number}`>, boolean> = {
  aborted: false,
  bad_gateway: true,
  cancelled: true,
  connection_cut: true,
  connection_failed: false,
  data_loss: false,
  deadline_exceeded: true,
  internal: false,
  invalid_response: false,
  request_timeout: false,
  timeout: true,
  unavailable: false,
  unknown: false,
}

describe('the reference', () => {
  test('tells every command with its arguments', async () => {
    const known = (await readLeaves()).map(({ usage, description }) => [usage, description])
    const told = readTable(reference, 'usage').map(([usage, does]) => [codeOf(usage)[0], does])
    expect(told.toSorted()).toEqual(known.toSorted())
  })

  test('tells every option with its default, and the commands that have it', async () => {
    const told = readTable(reference, 'option').flatMap(([option, does, of]) =>
      codeOf(of).map((command) => [command, codeOf(option)[0], does].join(' | ')),
    )
    expect(told.toSorted()).toEqual((await readLeaves()).flatMap(describeOptions).toSorted())
  })

  test('tells which settings each command takes', async () => {
    const known = (await readLeaves()).filter(({ settings }) => settings.length > 0)
    const told = readTable(reference, 'command').map(([command, settings]) => [codeOf(command)[0], codeOf(settings)])
    expect(told.toSorted()).toEqual(known.map(({ name, settings }) => [name, settings]).toSorted())
  })

  test('tells the keys of what is printed as JSON', () => {
    const told = readTable(reference, 'output').map(([output, keys]) => [codeOf(output)[0], codeOf(keys)])
    expect(Object.fromEntries(told)).toEqual({
      'status --json': Object.keys(STATUS),
      'run --json': Object.keys(RUN_REPORT),
      'dead-letters list --json': Object.keys(LISTING),
      'demo --json': Object.keys(FIGURES),
    })
  })

  test('tells every reason of a dead letter and of a hold', () => {
    expect(reasonsOf('reason of a dead letter').toSorted()).toEqual(Object.keys(DEAD_LETTER_REASONS).toSorted())
    expect(reasonsOf('reason of a hold').toSorted()).toEqual(Object.keys(HOLD_REASONS).toSorted())
  })

  test('tells every reason of a retry, and whether the run rests first', () => {
    const told = readTable(reference, 'reason of a retry').map(([reason, rests]) => [
      codeOf(reason)[0],
      rests === 'yes',
    ])
    expect(Object.fromEntries(told)).toEqual(RESTS_FIRST)
    expect(RESTS_FIRST).toMatchObject(readTransientAnswers())
  })
})

function describeOptions({ name, options }: Leaf): string[] {
  return options.map(({ flags, description, defaultValue }) => {
    const preset = defaultValue === undefined ? '' : ` (default: ${defaultValue})`
    return [name, flags, `${description}${preset}`].join(' | ')
  })
}

function reasonsOf(heading: string): string[] {
  return readTable(reference, heading).flatMap(([reason]) => codeOf(reason))
}

/** Each transient reason that an answer can have, with what the classification says of its ambiguity. */
function readTransientAnswers(): Record<string, boolean> {
  const ofCodes = [...MEANING_OF_CODE.keys()].map((code) => ({
    status: 500,
    body: JSON.stringify({ code, message: '' }),
  }))
  const ofStatuses = [...MEANING_OF_STATUS.keys()].map((status) => ({ status, body: '' }))
  const verdicts = [...ofCodes, ...ofStatuses].map((answer) => classifyAnswer({ ...answer, headers: {} }, 'r', 0))
  return Object.fromEntries(
    verdicts.flatMap((verdict) => (verdict.kind === 'transient' ? [[verdict.reason, verdict.ambiguous]] : [])),
  )
}
