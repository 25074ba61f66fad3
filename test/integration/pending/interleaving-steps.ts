import fc from 'fast-check'
import type { Failure } from '../../../src/pending/pending-updates.js'
import type { Writes } from '../../../src/run/parse.js'

/** One atomic step of somebody; what makes no sense at that moment is passed over. Workers and runs go by number. */
export type Step =
  | {
      readonly do: 'merge'
      readonly run: number
      readonly writes: Writes
      /** Microseconds since the start; undefined: at its arrival. */
      readonly observed: number | undefined
      readonly tie: number
    }
  | { readonly do: 'claim'; readonly worker: number; readonly run: number; readonly job: number }
  | { readonly do: 'send'; readonly worker: number; readonly fields: number; readonly answer: 'told' | 'lost' | 'late' }
  | { readonly do: 'settle' | 'record' | 'setAside' | 'release' | 'crash'; readonly worker: number }
  | { readonly do: 'defer'; readonly worker: number; readonly failure: Failure }
  | { readonly do: 'land' | 'mend' }
  | { readonly do: 'redrive'; readonly letter: number; readonly crashes: boolean }
  | { readonly do: 'reopen'; readonly run: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'setClockBack'; readonly ms: number }

export const DAY_MS = 86_400_000

const writes = fc
  .record(
    {
      name: fc.constantFrom('a', 'b', 'bad'),
      description: fc.constantFrom('a', 'bad', null),
      clientKey: fc.constantFrom('k1', 'k2', 'bad key'),
    },
    { requiredKeys: [] },
  )
  .filter((fields) => Object.keys(fields).length > 0)

/** Two instants a microsecond apart before all arrivals, and two after them. */
const observed = fc.constantFrom(
  undefined,
  undefined,
  -DAY_MS * 1000,
  -DAY_MS * 1000 + 1,
  DAY_MS * 1000,
  DAY_MS * 1000 + 1,
)

/** Any steps of two workers, producers and operators over so many runs. */
export function stepsOf(runs: number): fc.Arbitrary<Step[]> {
  const run = fc.nat(runs - 1)
  const worker = fc.nat(1)
  const merge = fc.record({ do: fc.constant('merge'), run, writes, observed, tie: fc.constantFrom(0, 0, 1, 2) })
  const claim = fc.record({ do: fc.constant('claim'), worker, run, job: fc.constantFrom(0, 0, 0, 1) })
  const send = fc.record({
    do: fc.constant('send'),
    worker,
    fields: fc.constantFrom(7, 7, 1, 2, 3, 4),
    answer: fc.constantFrom('told', 'told', 'told', 'lost', 'late'),
  })
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: merge },
    { weight: 6, arbitrary: claim },
    { weight: 6, arbitrary: send },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('settle'), worker }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('record', 'setAside', 'release'), worker }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('crash'), worker }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('defer'),
        worker,
        failure: fc.constantFrom('none', 'uncounted', 'counted', 'held'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('redrive'), letter: fc.nat(3), crashes: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen'), run }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(0.001, 500, 2_000, 14_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('setClockBack'), ms: fc.constantFrom(1_000, 3_600_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('land', 'mend') }) },
  ) as fc.Arbitrary<Step>
  return fc.array(step, { minLength: 1, maxLength: 80, size: 'max' })
}
