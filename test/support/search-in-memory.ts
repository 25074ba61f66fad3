import type { DeadLetters } from '../../src/dead-letters/dead-letters.js'
import { FactEmitter } from '../../src/events.js'
import type { Entry } from '../../src/pending/entry.js'
import type { PendingUpdates } from '../../src/pending/pending-updates.js'
import { policyWith } from '../../src/policy.js'
import type { FieldPath } from '../../src/run/fields.js'
import { ApiKey } from '../../src/sift/api-key.js'
import type { SiftClient } from '../../src/sift/client.js'
import type { Throttle } from '../../src/throttle/throttle.js'
import { Flush } from '../../src/worker/flush.js'

/** The promised bound, the refused first PATCH included. */
export function mostPatches(fields: number, guilty: number): number {
  return guilty * (2 * Math.ceil(Math.log2(fields)) + 1)
}

const HOLDER = { runId: 'run-1', generation: '1', owner: 'owner' }
const NEVER = new AbortController().signal
const API_KEY = ApiKey.literal('a-key')
const POLICY = policyWith({})

/**
 * One flush of a run with these fields pending, where Sift refuses every mask with a guilty field. Everything around the
 * search is in memory, so that twenty thousand of them take seconds.
 */
export async function countSearch(mask: readonly FieldPath[], guilty: readonly FieldPath[]) {
  let entries: Entry[] = mask.map((path, index) => {
    const order = { observedUs: 1, tie: 0, sequence: index, arrivedUs: 1, redrives: 0, source: '' }
    return { path, rule: 'latest', json: '"x"', value: 'x', stamp: `1 0 ${index} 1 0 `, ...order }
  })
  const condemned: FieldPath[] = []
  const applied: FieldPath[] = []
  let patches = 0
  const leave = (paths: readonly { path: string }[]) => {
    entries = entries.filter((entry) => !paths.some(({ path }) => path === entry.path))
  }
  const counts = { updates: 1, nowUs: 2, openedUs: 1, failures: 0, tries: 0 }
  const claim = { ...counts, corrupt: [], trouble: null, triedUs: null, origins: [], isAwaited: false }
  // Only what a flush asks of each, which is all that it must depend on.
  const around = {
    pending: {
      takeTurn: async () => ({
        kind: 'claimed',
        permit: { waitMs: 0, epoch: 0, probe: '', heldReason: '' },
        claim: { kind: 'granted', entries, mustBackOff: false, ...claim },
      }),
      settle: async (_runId, { writes }) => leave(writes),
      settleAndRelease: async (_holder, { writes }) => {
        leave(writes)
        return { kind: 'gone' }
      },
      release: async () => ({ kind: 'gone' }),
      setAside: async (_runId, writes) => leave(writes),
    } satisfies Partial<PendingUpdates> as unknown as PendingUpdates,
    throttle: {
      report: async () => ({ isStorm: false }),
      mayRecord: async () => true,
    } satisfies Partial<Throttle> as unknown as Throttle,
    deadLetters: {
      record: async ({ writes }) => {
        condemned.push(...writes.map(({ path }) => path))
        return LETTER
      },
    } satisfies Partial<DeadLetters> as unknown as DeadLetters,
    sift: {
      async updateRun({ updateMask }) {
        patches += 1
        const paths = updateMask.split(',') as FieldPath[]
        if (paths.some((path) => guilty.includes(path))) {
          return { verdict: { kind: 'permanent', reason: 'out_of_range', message: '', code: 11 }, durationMs: 0 }
        }
        applied.push(...paths)
        return { verdict: { kind: 'applied' }, durationMs: 0 }
      },
      getRun: () => Promise.reject(new Error('no run is read for this code')),
      close: async () => {},
    } satisfies SiftClient,
  }
  await new Flush(
    {
      ...around,
      policy: POLICY,
      setRate: async () => {},
      apiKey: API_KEY,
      facts: new FactEmitter(),
      stopping: NEVER,
      abort: NEVER,
      show: async () => {},
      log: async () => {},
      tries: async () => [],
    },
    HOLDER,
  ).run()
  const inOrder = (paths: readonly FieldPath[]) => mask.filter((path) => paths.includes(path))
  return { condemned: inOrder(condemned), applied: inOrder(applied), patches, left: entries.length }
}

const LETTER = {
  id: 'run-1.0123456789abcdef',
  runId: 'run-1',
  run: {},
  updateMask: '',
  reason: 'out_of_range',
  httpStatus: 400,
  code: 11,
  message: '',
  deadLetteredAt: '',
  attempts: 1,
  sources: [],
  tries: [],
  stamps: {},
} as const
