import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FIELDS, OUTPUT_ONLY_FIELDS } from '../../../src/run/fields.js'
import { type ParseResult, parseRunUpdate, parseRunUpdateText } from '../../../src/run/parse.js'
import { buildPatch } from '../../../src/run/patch.js'

/** FUZZ_CASES=1000000 for the long run. */
const numRuns = Number(process.env.FUZZ_CASES ?? 3000)
const timeout = 30_000 + numRuns

const text = fc.oneof(
  { weight: 30, arbitrary: fc.string({ unit: 'binary', minLength: 1 }) },
  { weight: 1, arbitrary: fc.constantFrom('', '\ud800', 'a\udc00b', '__proto__') },
)
const time = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc
    .tuple(
      fc.constantFrom('2026-01-01T00:00:00', '9999-12-31T23:59:59', '0001-01-01t00:00:00'),
      fc.nat(999_999_999),
      fc.nat(24),
    )
    .map(([start, fraction, offset]) => `${start}.${fraction}+${String(offset).padStart(2, '0')}:30`),
)
const number = fc.double({ noNaN: true, noDefaultInfinity: true })
const scalar = fc.oneof(text, number, fc.boolean())
const odd = fc.oneof(fc.jsonValue({ stringUnit: 'binary' }), fc.anything({ withBigInt: true, withDate: true }))

const metadataEntry = fc.record(
  {
    key: fc.record(
      { name: text, type: fc.constantFrom('METADATA_KEY_TYPE_STRING', 'METADATA_KEY_TYPE_UNSPECIFIED', null) },
      { requiredKeys: ['name'] },
    ),
    stringValue: text,
    number_value: number,
    booleanValue: fc.boolean(),
    archivedDate: time,
  },
  { requiredKeys: ['key'] },
)

// Mostly right, so that many are taken; wrong in one place or another, so that every refusal is met.
const mostly = <T>(right: fc.Arbitrary<T>) => fc.oneof({ weight: 20, arbitrary: right }, { weight: 1, arbitrary: odd })

const VALUES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  startTime: time,
  stopTime: time,
  isPinned: fc.boolean(),
  isArchived: fc.boolean(),
  tags: fc.array(text, { maxLength: 5 }),
  metadata: fc.oneof(fc.array(metadataEntry, { maxLength: 4 }), fc.dictionary(text, scalar, { maxKeys: 4 })),
}

const field = fc.oneof(
  ...FIELDS.map(({ path, protoName }) =>
    fc.tuple(fc.constantFrom(path, protoName), mostly(fc.option(VALUES[path] ?? text, { freq: 20 }))),
  ),
)
const otherKey = fc.tuple(fc.constantFrom('organizationId', 'created_date', 'nope', '__proto__', 'constructor'), odd)

// From entries, since that makes `__proto__` an own key, as JSON.parse does.
const run = fc
  .tuple(
    mostly(fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/)),
    fc.array(fc.oneof({ weight: 20, arbitrary: field }, { weight: 1, arbitrary: otherKey }), { maxLength: 4 }),
  )
  .map(([runId, entries]) => Object.fromEntries([['runId', runId], ...entries]))

const path = fc.constantFrom(...FIELDS.flatMap(({ path, protoName }) => [path, protoName]), ' name ', '')
const noPath = fc.constantFrom(...OUTPUT_ONLY_FIELDS.map(({ path }) => path), '*', '__proto__', 'tags.0')
const mask = fc.array(fc.oneof({ weight: 20, arbitrary: path }, { weight: 1, arbitrary: noPath }), { maxLength: 4 })

const update = fc.record(
  {
    run: mostly(run),
    updateMask: mostly(fc.oneof(mask, mask.map(String))),
    observedAt: mostly(time),
    source: mostly(fc.string({ maxLength: 65 })),
  },
  { requiredKeys: ['run'] },
)

it('parsing never throws, and what it takes parses to itself', { timeout }, () => {
  const seen = { taken: 0, refused: 0 }
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: update }, { weight: 1, arbitrary: odd }), (input) => {
      const result = parseRunUpdate(input)
      seen[result.ok ? 'taken' : 'refused'] += 1
      expectItself(result)
    }),
    { numRuns },
  )
  // Else the generators have drifted away from the parser, and this test proves nothing.
  expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(numRuns / 10)
})

it('so it is with lines, which mean what their object means', { timeout }, () => {
  const json = update.map((value) =>
    JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part)),
  )
  const broken = fc.tuple(json, fc.nat(), fc.string({ maxLength: 2 })).map(([line, place, junk]) => {
    const cut = place % (line.length + 1)
    return line.slice(0, cut) + junk + line.slice(cut + 1)
  })
  fc.assert(
    fc.property(fc.oneof(json, broken, text), (line) => {
      const result = parseRunUpdateText(line)
      expectItself(result)
      if (result.ok) expect(parseRunUpdate(JSON.parse(line))).toEqual(result)
    }),
    { numRuns },
  )
})

function expectItself(result: ParseResult): void {
  if (!result.ok) {
    expect(result.error.message).not.toMatch(/: (undefined)?$/)
    return
  }
  const { runId, writes } = result.update
  const patch = buildPatch(runId, writes)
  const again = { ok: true, update: { runId, writes } }
  expect(parseRunUpdate(patch)).toStrictEqual(again)
  expect(parseRunUpdateText(JSON.stringify(patch))).toStrictEqual(again)
}
