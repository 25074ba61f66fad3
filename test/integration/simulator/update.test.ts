import { describe, expect, test } from 'vitest'
import type { RunFields } from '../../../src/simulator/update-request.js'
import { startApiWithRun } from './api.js'

const metadata: NonNullable<RunFields['metadata']> = [
  { key: { name: 'engine', type: 'METADATA_KEY_TYPE_STRING' }, stringValue: 'M1' },
  { key: { name: 'thrust', type: 'METADATA_KEY_TYPE_NUMBER' }, numberValue: 12.5 },
  { key: { name: 'scrubbed', type: 'METADATA_KEY_TYPE_BOOLEAN' }, booleanValue: false },
]

const initial: RunFields = {
  name: 'hotfire',
  description: 'first',
  startTime: '2026-01-01T00:00:00Z',
  stopTime: '2026-01-02T00:00:00Z',
  isPinned: true,
  tags: ['a', 'b'],
  metadata,
  isArchived: true,
}

describe('an update that is taken', () => {
  const cases: ReadonlyArray<readonly [sentence: string, run: object, mask: string, after: object]> = [
    ['sets a name', { name: 'n' }, 'name', { name: 'n' }],
    ['sets several fields', { name: 'n', tags: ['t'] }, 'name,tags', { name: 'n', tags: ['t'], description: 'first' }],
    ['ignores what is not in the mask', { name: 'n', description: 'd' }, 'name', { name: 'n', description: 'first' }],
    ['takes a path that is named twice', { name: 'n' }, 'name,name', { name: 'n' }],
    ['ignores output-only fields that are not in the mask', { name: 'n', organizationId: 'o' }, 'name', { name: 'n' }],
    ['clears a description', {}, 'description', { description: '' }],
    ['clears a time', {}, 'startTime', { startTime: undefined, stopTime: initial.stopTime }],
    ['clears a flag', {}, 'isPinned', { isPinned: false }],
    ['clears a list', {}, 'tags', { tags: [] }],
    ['clears by null', { metadata: null }, 'metadata', { metadata: [] }],
    ['clears isArchived, and with it its date', {}, 'isArchived', { isArchived: false, archivedDate: undefined }],
    ['replaces the whole list of tags', { tags: ['c'] }, 'tags', { tags: ['c'] }],
    ['replaces the whole metadata', { metadata: [metadata[1]] }, 'metadata', { metadata: [metadata[1]] }],
    [
      'takes proto names in run',
      { stop_time: '2026-01-03T00:00:00Z' },
      'stopTime',
      { stopTime: '2026-01-03T00:00:00Z' },
    ],
    [
      'takes proto names in metadata, and drops the archived dates',
      {
        metadata: [
          {
            key: { name: 'n', type: 'METADATA_KEY_TYPE_NUMBER', archived_date: '2026-01-01T00:00:00Z' },
            number_value: '3',
            archivedDate: '2026-01-01T00:00:00Z',
          },
        ],
      },
      'metadata',
      { metadata: [{ key: { name: 'n', type: 'METADATA_KEY_TYPE_NUMBER' }, numberValue: 3 }] },
    ],
    [
      'takes the type of a metadata key by its number',
      { metadata: [{ key: { name: 'n', type: 1 }, stringValue: '' }] },
      'metadata',
      { metadata: [{ key: { name: 'n', type: 'METADATA_KEY_TYPE_STRING' }, stringValue: '' }] },
    ],
    [
      'keeps all nine digits',
      { stopTime: '2026-03-01T10:00:00.123456789Z' },
      'stopTime',
      { stopTime: '2026-03-01T10:00:00.123456789Z' },
    ],
    [
      'moves a time to UTC',
      { stopTime: '2026-03-01T10:00:00+02:00' },
      'stopTime',
      { stopTime: '2026-03-01T08:00:00Z' },
    ],
    [
      'compares start and stop at nanoseconds',
      { startTime: '2026-03-01T10:00:00.000000001Z', stopTime: '2026-03-01T10:00:00.000000002Z' },
      'startTime,stopTime',
      { startTime: '2026-03-01T10:00:00.000000001Z' },
    ],
    ['lets a start stand alone', { startTime: '2030-01-01T00:00:00Z' }, 'startTime,stopTime', { stopTime: undefined }],
    ['sets a client key', { clientKey: 'flight-42' }, 'clientKey', { clientKey: 'flight-42' }],
  ]

  test.each(cases)('%s', async (_sentence, run, mask, after) => {
    const api = await startApiWithRun()
    api.simulator.createRun('run-2', initial)
    const answer = await api.patchBody({ run: { runId: 'run-2', ...run }, updateMask: mask })
    expect(answer).toMatchObject({ status: 200, contentType: 'application/json' })
    expect(api.simulator.runs.get('run-2')).toMatchObject(after)
    expect(answer.json).toEqual({ run: JSON.parse(JSON.stringify(api.simulator.runs.get('run-2'))) })
  })

  test('is told with the whole run and the date of its change', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z')
    const api = await startApiWithRun({ now: () => now })
    now += 1500
    const { json } = await api.patch({ isArchived: true }, 'isArchived')
    expect(json.run).toEqual({
      runId: 'run-1',
      name: 'run-1',
      description: '',
      isPinned: false,
      isArchived: true,
      tags: [],
      metadata: [],
      assetIds: [],
      isAdhoc: false,
      archivedDate: '2026-01-01T00:00:01.500Z',
      createdDate: '2026-01-01T00:00:00.000Z',
      modifiedDate: '2026-01-01T00:00:01.500Z',
      createdByUserId: expect.any(String),
      modifiedByUserId: expect.any(String),
      organizationId: expect.any(String),
    })
  })

  test('takes update_mask and run_id under their proto names', async () => {
    const api = await startApiWithRun()
    expect(await api.patchBody({ run: { run_id: 'run-1', name: 'n' }, update_mask: 'name' })).toMatchObject({
      status: 200,
    })
    expect(api.simulator.runs.get('run-1')?.name).toBe('n')
  })
})

describe('an update that is refused, as a whole, with 400 and code 3', () => {
  const entry = { key: { name: 'k', type: 'METADATA_KEY_TYPE_STRING' }, stringValue: 'v' }
  const cases: ReadonlyArray<readonly [sentence: string, run: object, mask: unknown]> = [
    ['a mask path with an underscore', { stopTime: '2026-01-03T00:00:00Z' }, 'stop_time'],
    ['an unknown mask path', { name: 'n' }, 'name,nope'],
    ['a sub-path', { metadata: [] }, 'metadata.engine'],
    ['the star mask', { name: 'n' }, '*'],
    ['a space in the mask', { name: 'n', tags: [] }, 'name, tags'],
    ['a comma at the end of the mask', { name: 'n' }, 'name,'],
    ['a mask that is a list', { name: 'n' }, ['name']],
    ['an empty mask', { name: 'n' }, ''],
    ['no mask', { name: 'n' }, undefined],
    ['the run id in the mask', {}, 'runId'],
    ...[
      'createdDate',
      'modifiedDate',
      'createdByUserId',
      'modifiedByUserId',
      'organizationId',
      'assetIds',
      'isAdhoc',
      'defaultReportId',
      'archivedDate',
      'duration',
    ].map((path) => [`the output-only ${path} in the mask`, {}, path] as const),
    ['a name cleared', {}, 'name'],
    ['an empty name', { name: '' }, 'name'],
    ['a client key cleared', { clientKey: null }, 'clientKey'],
    ['an unknown key of run', { name: 'n', nmae: 'n' }, 'name'],
    ['a key of run that objects have by themselves', { name: 'n', constructor: 'n' }, 'name'],
    ['both spellings of one key', { stopTime: '2026-01-03T00:00:00Z', stop_time: '2026-01-04T00:00:00Z' }, 'stopTime'],
    ['a number for a string', { description: 5 }, 'description'],
    ['a string for a boolean', { isPinned: 'true' }, 'isPinned'],
    ['a string for a list', { tags: 'a' }, 'tags'],
    ['null in a list', { tags: ['a', null] }, 'tags'],
    ['an object for a list', { metadata: { engine: 'M1' } }, 'metadata'],
    ['a number for a timestamp', { stopTime: 5 }, 'stopTime'],
    ['a date without a time', { stopTime: '2026-01-03' }, 'stopTime'],
    ['ten fraction digits', { stopTime: '2026-01-03T00:00:00.0123456789Z' }, 'stopTime'],
    ['a wrong type even outside the mask', { name: 'n', stopTime: 'soon' }, 'name'],
    ['a lone surrogate', { name: 'a\ud800b' }, 'name'],
    ['stop before the start that the run has', { stopTime: '2025-12-31T00:00:00Z' }, 'stopTime'],
    ['start after the stop that the run has', { startTime: '2026-01-02T00:00:00.000000001Z' }, 'startTime'],
    ['start equal to stop', { startTime: '2026-01-02T00:00:00Z' }, 'startTime'],
    [
      'start a nanosecond after stop',
      { startTime: '2026-03-01T10:00:00.000000002Z', stopTime: '2026-03-01T10:00:00.000000001Z' },
      'startTime,stopTime',
    ],
    [
      'one bad field among good ones',
      { name: 'n', tags: ['t'], stopTime: '2025-12-31T00:00:00Z' },
      'name,tags,stopTime',
    ],
    ['metadata without a key', { metadata: [{ stringValue: 'v' }] }, 'metadata'],
    ['metadata with an empty key', { metadata: [{ ...entry, key: { ...entry.key, name: '' } }] }, 'metadata'],
    ['metadata with a key of no type', { metadata: [{ ...entry, key: { name: 'k' } }] }, 'metadata'],
    ['metadata with an unknown type', { metadata: [{ ...entry, key: { name: 'k', type: 'STRING' } }] }, 'metadata'],
    ['metadata with two values', { metadata: [{ ...entry, numberValue: 1 }] }, 'metadata'],
    ['metadata with no value', { metadata: [{ key: entry.key }] }, 'metadata'],
    ['metadata whose type disagrees with its value', { metadata: [{ key: entry.key, numberValue: 1 }] }, 'metadata'],
    ['metadata with one key twice', { metadata: [entry, entry] }, 'metadata'],
    ['metadata with an unknown key', { metadata: [{ ...entry, value: 'v' }] }, 'metadata'],
  ]

  test.each(cases)('%s', async (_sentence, run, updateMask) => {
    const api = await startApiWithRun()
    const before = api.simulator.createRun('run-2', initial)
    const answer = await api.patchBody({ run: { runId: 'run-2', ...run }, updateMask })
    expect(answer).toMatchObject({ status: 400, contentType: 'application/json' })
    expect(answer.json).toEqual({ code: 3, message: expect.stringMatching(/.{8}/), details: [] })
    expect(api.simulator.runs.get('run-2')).toBe(before)
  })

  const bodies: ReadonlyArray<readonly [sentence: string, body: string | Buffer]> = [
    ['a body that is no JSON', '{"run":'],
    ['an empty body', ''],
    ['a body that is a list', '[]'],
    ['a body that is null', 'null'],
    ['an unknown key beside run', '{"run":{"runId":"run-1","name":"n"},"updateMask":"name","validateOnly":true}'],
    ['no run', '{"updateMask":"name"}'],
    ['no run id', '{"run":{"name":"n"},"updateMask":"name"}'],
    ['a run id that is a number', '{"run":{"runId":1,"name":"n"},"updateMask":"name"}'],
    ['a key that an object would swallow', '{"run":{"runId":"run-1","__proto__":{},"name":"n"},"updateMask":"name"}'],
    [
      'a number beyond a double',
      '{"run":{"runId":"run-1","metadata":[{"key":{"name":"k","type":2},"numberValue":1e400}]},"updateMask":"metadata"}',
    ],
    ['bytes that are not UTF-8', Buffer.from('{"run":{"runId":"run-1","name":"\xff"},"updateMask":"name"}', 'latin1')],
  ]

  test.each(bodies)('%s', async (_sentence, body) => {
    const api = await startApiWithRun()
    const before = api.simulator.runs.get('run-1')
    const answer = await api.send('PATCH', '/api/v2/runs', { body })
    expect(answer).toMatchObject({ status: 400, json: { code: 3, details: [] } })
    expect(api.simulator.runs.get('run-1')).toBe(before)
  })
})

describe('a client key', () => {
  test('is set once: any later attempt is refused with code 9, the same key included', async () => {
    const api = await startApiWithRun()
    expect(await api.patch({ clientKey: 'k' }, 'clientKey')).toMatchObject({ status: 200 })
    for (const clientKey of ['k', 'other']) {
      const answer = await api.patch({ clientKey, name: 'n' }, 'clientKey,name')
      expect(answer).toMatchObject({ status: 400, json: { code: 9 } })
    }
    expect(api.simulator.runs.get('run-1')).toMatchObject({ clientKey: 'k', name: 'run-1' })
  })

  test('that was set at creation counts as set', async () => {
    const api = await startApiWithRun()
    api.simulator.createRun('run-2', { clientKey: 'k' })
    const answer = await api.patchBody({ run: { runId: 'run-2', clientKey: 'k2' }, updateMask: 'clientKey' })
    expect(answer).toMatchObject({ status: 400, json: { code: 9 } })
  })

  test('that another run has is refused with 409 and code 6', async () => {
    const api = await startApiWithRun()
    api.simulator.createRun('run-2', { clientKey: 'k' })
    expect(await api.patch({ clientKey: 'k' }, 'clientKey')).toMatchObject({ status: 409, json: { code: 6 } })
    expect(api.simulator.runs.get('run-1')?.clientKey).toBeUndefined()
  })

  test('of a refused update is still free', async () => {
    const api = await startApiWithRun()
    expect(await api.patch({ clientKey: 'k', name: '' }, 'clientKey,name')).toMatchObject({ status: 400 })
    api.simulator.createRun('run-2', { clientKey: 'k' })
    expect(api.simulator.runs.get('run-2')?.clientKey).toBe('k')
  })
})

describe('a run', () => {
  test('that is unknown is a 404 with code 5', async () => {
    const api = await startApiWithRun()
    const answer = await api.patchBody({ run: { runId: 'nope', name: 'n' }, updateMask: 'name' })
    expect(answer).toMatchObject({ status: 404, json: { code: 5 } })
  })

  test('is made on first sight where that is asked for', async () => {
    const api = await startApiWithRun({ createRuns: true })
    await api.patchBody({ run: { runId: 'new', description: 'd' }, updateMask: 'description' })
    expect(api.simulator.runs.get('new')).toMatchObject({ name: 'new', description: 'd' })
    expect(await api.get('/api/v2/runs/newer')).toMatchObject({ status: 200, json: { run: { name: 'newer' } } })
  })

  test('cannot be created twice, nor with what the API would refuse', async () => {
    const { simulator } = await startApiWithRun()
    expect(() => simulator.createRun('run-1')).toThrow('there is a run "run-1" already')
    expect(() => simulator.createRun('run-2', { name: '' })).toThrow('name cannot be cleared')
    expect(simulator.runs.has('run-2')).toBe(false)
  })
})
