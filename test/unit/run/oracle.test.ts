import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AcknowledgedUpdate, Oracle } from '../../../src/run/oracle.js'
import type { Writes } from '../../../src/run/parse.js'

function update(sequence: number, writes: Writes, more: Partial<AcknowledgedUpdate> = {}): AcknowledgedUpdate {
  const order = { observedUs: sequence, tie: 0, sequence }
  return { runId: 'run-1', writes, ...order, staleFields: [], conflictFields: [], ...more }
}

function oracleOf(updates: readonly AcknowledgedUpdate[], initial: Record<string, object> = {}): Oracle {
  const oracle = new Oracle(new Map(Object.entries(initial)))
  for (const each of updates) oracle.accept(each)
  return oracle
}

/** What a run may hold: the values of the field, out of those given, that the oracle finds no fault with. */
function allowed(oracle: Oracle, path: 'name' | 'clientKey' | 'stopTime', values: readonly unknown[]): unknown[] {
  return values.filter(
    (value) => !oracle.compare(new Map([['run-1', { [path]: value }]])).some((difference) => difference.path === path),
  )
}

const names = [undefined, 'a', 'b', 'c']

describe('the newest write of a field', () => {
  it.each([
    ['by observation time', { observedUs: 20 }, { observedUs: 10 }],
    ['by tie, where that is the same', { observedUs: 10, tie: 2 }, { observedUs: 10, tie: 1 }],
    ['by sequence, where both are the same', { observedUs: 10, sequence: 2 }, { observedUs: 10, sequence: 1 }],
  ])('wins %s, in whatever order it is told', (_, newer, older) => {
    const updates = [update(1, { name: 'a' }, newer), update(2, { name: 'b' }, older)]
    expect(allowed(oracleOf(updates), 'name', names)).toEqual(['a'])
    expect(allowed(oracleOf(updates.toReversed()), 'name', names)).toEqual(['a'])
  })

  it('is looked at field by field', () => {
    const oracle = oracleOf([update(1, { name: 'a', description: 'd' }), update(2, { name: 'b', isPinned: true })])
    expect(oracle.compare(new Map([['run-1', { name: 'b', description: 'd', isPinned: true }]]))).toEqual([])
  })

  it('that is a clear leaves the field unset, however that is written', () => {
    const oracle = oracleOf([
      update(1, { description: null, tags: null, isPinned: null, stopTime: null, metadata: null }),
    ])
    const unset = [
      {},
      { description: '', tags: [], isPinned: false, metadata: [] },
      { description: null, stopTime: null },
    ]
    for (const run of unset) expect(oracle.compare(new Map([['run-1', run]]))).toEqual([])
  })

  it('is the same moment in any spelling', () => {
    const oracle = oracleOf([update(1, { stopTime: '2026-01-01T00:00:00Z' })])
    expect(oracle.compare(new Map([['run-1', { stopTime: '2026-01-01T01:00:00.000+01:00' }]]))).toEqual([])
  })

  it('counts although it was told stale: then it was told wrongly', () => {
    const oracle = oracleOf([update(1, { name: 'a' }), update(2, { name: 'b' }, { staleFields: ['name'] })])
    expect(allowed(oracle, 'name', names)).toEqual(['b'])
  })
})

describe('the newest write, refused,', () => {
  it('leaves what was last applied: an older accepted value, or the initial one', () => {
    const oracle = oracleOf([update(1, { name: 'a' }), update(2, { name: 'b' }), update(3, { name: 'c' })], {
      'run-1': { name: 'initial' },
    })
    oracle.refuse({ runId: 'run-1', path: 'name', sequence: 3 })
    expect(allowed(oracle, 'name', [...names, 'initial'])).toEqual(['a', 'b', 'initial'])
  })

  it('leaves no older one that was refused or stale', () => {
    const stale = update(1, { name: 'a' }, { staleFields: ['name'] })
    const oracle = oracleOf([stale, update(2, { name: 'b' }), update(3, { name: 'c' })])
    oracle.refuse({ runId: 'run-1', path: 'name', sequence: 2 })
    oracle.refuse({ runId: 'run-1', path: 'name', sequence: 3 })
    expect(allowed(oracle, 'name', names)).toEqual([undefined])
  })

  it('may be there where an older one has the same value', () => {
    const oracle = oracleOf([update(1, { name: 'a' }), update(2, { name: 'a' })])
    oracle.refuse({ runId: 'run-1', path: 'name', sequence: 2 })
    expect(allowed(oracle, 'name', names)).toEqual([undefined, 'a'])
  })

  it('is one of its run and field only', () => {
    const oracle = oracleOf([update(1, { name: 'a', stopTime: '2026-01-01T00:00:00Z' })])
    oracle.refuse({ runId: 'run-1', path: 'stopTime', sequence: 1 })
    oracle.refuse({ runId: 'run-2', path: 'name', sequence: 1 })
    expect(allowed(oracle, 'name', names)).toEqual(['a'])
    expect(allowed(oracle, 'stopTime', [undefined, '2026-01-01T00:00:00Z'])).toEqual([undefined])
  })

  it('does not matter once a newer one is there', () => {
    const oracle = oracleOf([update(1, { name: 'a' }), update(2, { name: 'b' })])
    oracle.refuse({ runId: 'run-1', path: 'name', sequence: 1 })
    expect(allowed(oracle, 'name', names)).toEqual(['b'])
  })
})

describe('a client key', () => {
  it('that came first stays, although the next was observed earlier', () => {
    const conflict = update(2, { clientKey: 'b' }, { observedUs: 0, conflictFields: ['clientKey'] })
    expect(allowed(oracleOf([update(1, { clientKey: 'a' }), conflict]), 'clientKey', names)).toEqual(['a'])
  })

  it('in conflict never counts, also where the one that held the place is refused later', () => {
    const conflict = update(2, { clientKey: 'b' }, { conflictFields: ['clientKey'] })
    const oracle = oracleOf([update(1, { clientKey: 'a' }), conflict])
    oracle.refuse({ runId: 'run-1', path: 'clientKey', sequence: 1 })
    expect(allowed(oracle, 'clientKey', names)).toEqual([undefined])
  })

  it('that was refused leaves the place to the next', () => {
    const oracle = oracleOf([
      update(1, { clientKey: 'a' }),
      update(2, { clientKey: 'b' }),
      update(3, { clientKey: 'b' }),
    ])
    oracle.refuse({ runId: 'run-1', path: 'clientKey', sequence: 1 })
    expect(allowed(oracle, 'clientKey', names)).toEqual(['b'])
  })

  it('that repeats a refused one may have been joined to it, or tried anew', () => {
    const oracle = oracleOf([update(1, { clientKey: 'a' }), update(2, { clientKey: 'a' })])
    oracle.refuse({ runId: 'run-1', path: 'clientKey', sequence: 1 })
    expect(allowed(oracle, 'clientKey', names)).toEqual([undefined, 'a'])
  })
})

describe('a field that nothing wrote', () => {
  it('holds its initial value', () => {
    const oracle = oracleOf([], { 'run-1': { name: 'initial' } })
    expect(oracle.compare(new Map([['run-1', { name: 'other', tags: ['t'] }]]))).toEqual([
      { runId: 'run-1', path: 'name', actual: 'other', allowed: ['initial'] },
      { runId: 'run-1', path: 'tags', actual: ['t'], allowed: [null] },
    ])
  })

  it('is not looked at where that is not known', () => {
    const oracle = oracleOf([update(1, { name: 'a' })])
    expect(oracle.compare(new Map([['run-1', { name: 'a', tags: ['t'] }]]))).toEqual([])
  })

  it('is not taken from a run that changed after it was given', () => {
    const runs = new Map([['run-1', { name: 'before' }]])
    const oracle = new Oracle(runs)
    Object.assign(runs.get('run-1') ?? {}, { name: 'after' })
    expect(oracle.compare(runs)).toHaveLength(1)
  })
})

it('a run that is missing differs in every field that must be set', () => {
  const oracle = oracleOf([update(1, { name: 'a', isPinned: true, isArchived: false })])
  expect(oracle.compare(new Map()).map(({ path }) => path)).toEqual(['name', 'isPinned'])
})

it('a run that applies all accepted writes in their order is right, whatever was refused', () => {
  const writes = fc.array(
    fc.record({ observedUs: fc.nat(3), tie: fc.nat(1), name: fc.constantFrom('a', 'b', 'c'), refused: fc.boolean() }),
  )
  fc.assert(
    fc.property(writes, (list) => {
      const oracle = new Oracle()
      const accepted = list.map((write, sequence) => ({ ...write, sequence }))
      for (const { name, observedUs, tie, sequence, refused } of accepted) {
        oracle.accept(update(sequence, { name }, { observedUs, tie }))
        if (refused) oracle.refuse({ runId: 'run-1', path: 'name', sequence })
      }
      accepted.sort((a, b) => a.observedUs - b.observedUs || a.tie - b.tie || a.sequence - b.sequence)
      const name = accepted.findLast(({ refused }) => !refused)?.name
      expect(oracle.compare(new Map([['run-1', name === undefined ? {} : { name }]]))).toEqual([])
    }),
  )
})
