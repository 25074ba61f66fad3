import { describe, expect, it } from 'vitest'
import { parseRunUpdate, type RunUpdate } from '../../../src/run/parse.js'

describe('what compiles as an update', () => {
  it.each<RunUpdate>([
    { run: { runId: 'r', name: 'n', startTime: '2026-01-01T00:00:00Z', stopTime: null, isPinned: false } },
    { run: { runId: 'r', tags: ['a'] as const, metadata: { engine: 'M1', thrust: 12.5, scrubbed: true } } },
    { run: { runId: 'r', metadata: [{ key: { name: 'engine' }, stringValue: 'M1' }] }, updateMask: ['metadata'] },
    { run: { runId: 'r' }, updateMask: 'tags', observedAt: '2026-01-01T00:00:00Z', source: 'ingest' },
  ])('is taken: %j', (update) => {
    expect(parseRunUpdate(update)).toMatchObject({ ok: true })
  })

  it.each([
    // @ts-expect-error a name cannot be cleared
    { run: { runId: 'r', name: null } } satisfies RunUpdate,
    // @ts-expect-error nor can a client key
    { run: { runId: 'r', clientKey: null } } satisfies RunUpdate,
    // @ts-expect-error a Date loses everything below a millisecond
    { run: { runId: 'r', startTime: new Date(0) } } satisfies RunUpdate,
    // @ts-expect-error Sift alone writes it
    { run: { runId: 'r', organizationId: 'o' } } satisfies RunUpdate,
    // @ts-expect-error one value a key
    { run: { runId: 'r', metadata: [{ key: { name: 'k' }, stringValue: 'a', numberValue: 1 }] } } satisfies RunUpdate,
    // @ts-expect-error a run has an id
    { run: { name: 'n' } } satisfies RunUpdate,
  ])('what does not compile is refused: %j', (update) => {
    expect(parseRunUpdate(update)).toMatchObject({ ok: false })
  })
})
