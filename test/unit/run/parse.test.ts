import { describe, expect, it } from 'vitest'
import { UpdateRejectedError } from '../../../src/errors.js'
import { refuseDeep } from '../../../src/run/depth.js'
import { MAX_UPDATE_BYTES, type ParseResult, parseRunUpdate, parseRunUpdateText } from '../../../src/run/parse.js'

function refusalOf(result: ParseResult): UpdateRejectedError {
  if (result.ok) throw new Error(`taken: ${JSON.stringify(result.update.writes)}`)
  expect(result.error).toBeInstanceOf(UpdateRejectedError)
  return result.error
}

function updateOf(result: ParseResult) {
  if (!result.ok) throw result.error
  return result.update
}

const run = { runId: 'run-1', name: 'n' }

describe('the keys beside run', () => {
  it('an observation time is cut to microseconds', () => {
    const { observedAtUs } = updateOf(parseRunUpdate({ run, observedAt: '2026-01-01T01:00:10.000001999+01:00' }))
    expect(observedAtUs).toBe(1_767_225_610_000_001n)
  })

  it('one before the epoch is cut towards the past, too', () => {
    expect(updateOf(parseRunUpdate({ run, observedAt: '1969-12-31T23:59:59.999999999Z' })).observedAtUs).toBe(-1n)
  })

  it('a source of 64 characters is kept', () => {
    expect(updateOf(parseRunUpdate({ run, source: 's'.repeat(64) })).source).toBe('s'.repeat(64))
  })

  it.each([null, undefined])('%s means absent', (value) => {
    const update = { run, updateMask: value, observedAt: value, source: value }
    expect(updateOf(parseRunUpdate(update))).toStrictEqual({ runId: 'run-1', writes: { name: 'n' } })
  })

  it.each([
    ['updateMask', { updateMask: ['name', 5] }, 'updateMask.1'],
    ['updateMask', { updateMask: { paths: ['name'] } }, 'updateMask'],
    ['observedAt', { observedAt: 1_767_225_610 }, 'observedAt'],
    ['source', { source: 5 }, 'source'],
    ['source', { source: '\udc00' }, 'source'],
  ])('%s of a wrong form in %j is an invalid value', (_, keys, path) => {
    expect(refusalOf(parseRunUpdate({ run, ...keys }))).toMatchObject({ code: 'invalid_value', path })
  })
})

describe('the mask', () => {
  it.each(['', ' ', ',', [], ['']].map((mask) => [mask]))(
    '%j names nothing, so all that is present is written',
    (mask) => {
      expect(updateOf(parseRunUpdate({ run, updateMask: mask })).writes).toEqual({ name: 'n' })
    },
  )

  it.each(['runId', 'run_id', 'created_date'])('%s is known, and cannot be updated', (path) => {
    expect(refusalOf(parseRunUpdate({ run, updateMask: path }))).toMatchObject({ code: 'not_updatable' })
  })

  it.each(['Name', 'run.name', 'constructor', '__proto__', 'name\n,x'])('%j is unknown', (path) => {
    expect(refusalOf(parseRunUpdate({ run, updateMask: path }))).toMatchObject({ code: 'unknown_mask_path' })
  })

  it('a field that is undefined is absent, so the mask clears it', () => {
    const update = { run: { runId: 'run-1', stopTime: undefined }, updateMask: 'stopTime' }
    expect(updateOf(parseRunUpdate(update)).writes).toEqual({ stopTime: null })
  })
})

describe('a key that is undefined', () => {
  it('is absent, as it is once it is JSON', () => {
    const update = { run: { runId: 'run-1', name: 'n', stopTime: undefined, nope: undefined }, priority: undefined }
    expect(updateOf(parseRunUpdate(update)).writes).toStrictEqual({ name: 'n' })
  })
})

describe('what is inherited', () => {
  it('is not read', () => {
    expect(refusalOf(parseRunUpdate(Object.create({ run }))).code).toBe('missing_run')
    expect(refusalOf(parseRunUpdate({ run: Object.create(run) })).code).toBe('missing_run')
  })

  it('an own __proto__ beside run is an unknown key', () => {
    const line = '{"__proto__":{"run":{"runId":"run-1","name":"n"}}}'
    expect(refusalOf(parseRunUpdateText(line))).toMatchObject({ code: 'unknown_field', path: '__proto__' })
  })
})

describe('the limit of 64 KiB', () => {
  const lineOf = (bytes: number, filler: string) => {
    const [head, tail] = ['{"run":{"runId":"r","isPinned":true,"description":"', '"},"updateMask":"isPinned"}']
    return head + filler.repeat((bytes - head.length - tail.length) / Buffer.byteLength(filler)) + tail
  }

  it.each(['a', 'é', '€'])('counts bytes of UTF-8, not characters (%s)', (filler) => {
    const [most, more] = [lineOf(MAX_UPDATE_BYTES - 5, filler), lineOf(MAX_UPDATE_BYTES + 3, filler)]
    expect(Buffer.byteLength(most)).toBeLessThanOrEqual(MAX_UPDATE_BYTES)
    expect(Buffer.byteLength(more)).toBeGreaterThan(MAX_UPDATE_BYTES)
    for (const parse of [parseRunUpdateText, (line: string) => parseRunUpdate(JSON.parse(line))]) {
      expect(updateOf(parse(most)).runId).toBe('r')
      expect(refusalOf(parse(more))).toMatchObject({ code: 'too_large', path: '' })
    }
  })

  it('is exact to the byte', () => {
    expect(parseRunUpdateText(lineOf(MAX_UPDATE_BYTES, 'a')).ok).toBe(true)
    expect(parseRunUpdate(JSON.parse(lineOf(MAX_UPDATE_BYTES, 'a'))).ok).toBe(true)
    expect(parseRunUpdateText(lineOf(MAX_UPDATE_BYTES + 1, 'a')).ok).toBe(false)
    expect(parseRunUpdate(JSON.parse(lineOf(MAX_UPDATE_BYTES + 1, 'a'))).ok).toBe(false)
  })

  it('comes before anything else that is wrong', () => {
    expect(refusalOf(parseRunUpdate({ junk: 'x'.repeat(MAX_UPDATE_BYTES) })).code).toBe('too_large')
    expect(refusalOf(parseRunUpdateText('x'.repeat(MAX_UPDATE_BYTES + 1))).code).toBe('too_large')
  })

  it('holds for the PATCH, too, which a short way of writing metadata makes far longer', () => {
    const metadata = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`k${index}`, 1]))
    expect(JSON.stringify(metadata).length).toBeLessThan(MAX_UPDATE_BYTES / 2)
    expect(refusalOf(parseRunUpdate({ run: { runId: 'r', metadata } })).code).toBe('too_large')
  })
})

describe('what is hardly JSON', () => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const deep = JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`)
  const throwing = {
    get run() {
      throw new Error('no run today')
    },
  }

  it.each([
    ['a cycle', cycle],
    ['a cycle in a field', { run: { runId: 'r', metadata: cycle } }],
    ['200,000 levels', { run: { runId: 'r', tags: deep } }],
    ['a BigInt', { run: { runId: 'r', name: 5n } }],
    ['a getter that throws', throwing],
    ['a proxy that is revoked', revokedProxy()],
    ['a function', () => run],
    ['a symbol', Symbol('run')],
    ['nothing', undefined],
    ['null', null],
    ['a Date for a time', { run: { runId: 'r', startTime: new Date(0) } }],
    ['a Map', new Map([['run', run]])],
    ['a list with holes', { run: { runId: 'r', tags: new Array(2) } }],
  ])('%s is refused, not thrown', (_, input) => {
    expect(refusalOf(parseRunUpdate(input)).message).not.toBe('')
  })

  it('what the getter threw is the cause', () => {
    expect(refusalOf(parseRunUpdate(throwing))).toMatchObject({
      code: 'invalid_json',
      cause: { message: 'no run today' },
    })
  })

  it.each(['', ' ', 'null', '5', '"run"', '[', '{"run":{"runId":"r","name":"n"}} x'])(
    'the line %j is refused',
    (line) => {
      expect(['invalid_json', 'missing_run']).toContain(refusalOf(parseRunUpdateText(line)).code)
    },
  )

  it('a line nested as deep as 64 KiB allow is refused', () => {
    const line = `{"run":{"runId":"r","metadata":${'['.repeat(32_000)}${']'.repeat(32_000)}}}`
    expect(refusalOf(parseRunUpdateText(line))).toMatchObject({ code: 'invalid_value', path: 'run.metadata.0' })
  })
})

describe('levels', () => {
  const nested = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
  const within = (levels: number) => ({
    run: { runId: 'r', name: 'n', metadata: nested(levels - 2) },
    updateMask: 'name',
  })

  it.each([65, 5_000, 30_000, 1_000_000])('%d are refused, with where they are, and nothing recurses', (levels) => {
    const refusal = { code: 'invalid_value', path: 'run.metadata.0', message: expect.stringContaining('64 levels') }
    expect(refusalOf(parseRunUpdate(within(levels)))).toMatchObject(refusal)
    if (levels < 32_000) {
      const line = `{"run":{"runId":"r","metadata":${'['.repeat(levels)}${']'.repeat(levels)}}}`
      expect(refusalOf(parseRunUpdateText(line))).toMatchObject(refusal)
    }
  })

  it('64 are taken where nobody looks at them', () => {
    expect(parseRunUpdate(within(64)).ok).toBe(true)
    expect(parseRunUpdateText(JSON.stringify(within(64))).ok).toBe(true)
  })

  it('are counted in no time where many ways lead to one object', () => {
    let shared: object = {}
    for (let i = 0; i < 50; i++) shared = { a: shared, b: shared }
    expect(() => refuseDeep(shared)).not.toThrow()
  })
})

describe('a refusal', () => {
  it('says what was wrong, with which value, and the way out', () => {
    const { message } = refusalOf(parseRunUpdate({ run: { runId: 'run-1', startTime: 'soon' } }))
    expect(message).toBe(
      'run.startTime is "soon": it must be an RFC 3339 time with an offset, such as 2026-03-01T10:00:00.123456789Z',
    )
  })

  it('names the place in a list', () => {
    const { path, message } = refusalOf(parseRunUpdate({ run: { runId: 'run-1', tags: ['a', 7] } }))
    expect({ path, message }).toEqual({ path: 'run.tags.1', message: 'run.tags.1 is 7: it must be a string' })
  })

  it.each([
    ['a value', { run: { runId: 'r', startTime: 'x'.repeat(9000) } }],
    ['a key', { run: { runId: 'r', ['x'.repeat(9000)]: 1 } }],
    ['a key of metadata', { run: { runId: 'r', metadata: { ['x'.repeat(9000)]: null } } }],
    ['a run id', { run: { runId: 'x'.repeat(9000) } }],
    ['a mask', { run, updateMask: 'x'.repeat(9000) }],
    ['a source', { run, source: 'x'.repeat(9000) }],
  ])('stays short where %s is long', (_, update) => {
    const { message, path } = refusalOf(parseRunUpdate(update))
    expect(message.length).toBeLessThan(400)
    expect(path.length).toBeLessThan(100)
  })
})

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
