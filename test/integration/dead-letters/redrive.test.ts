import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { UnreadableLetterError } from '../../../src/dead-letters/mended-letter.js'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { failedJob, listLetters, refusal, refusedWrite } from './letters.js'

let redis: TestRedis
let pipeline: Pipeline

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
})
afterEach(() => pipeline.close())

const patchesOf = (runId: string) => pipeline.simulator.requests.filter((request) => request.runId === runId)

describe('recording', () => {
  test('the same refusal again, after a crash in the middle, is the same letter', async () => {
    const first = await pipeline.deadLetters.record(refusal('run-1'))
    const again = await pipeline.deadLetters.record(refusal('run-1'))
    expect(again.id).toBe(first.id)
    expect(await listLetters(pipeline)).toHaveLength(1)
    expect(await pipeline.deadLetters.counts()).toMatchObject({ recorded: 1 })
  })

  test('a refusal after a redrive is another letter', async () => {
    pipeline.simulator.setFaults({ refuse: () => ({ code: 3, message: 'never' }) })
    pipeline.addWorker()
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await pipeline.drained()
    const [first] = await listLetters(pipeline)
    expect(await pipeline.deadLetters.retry(first?.id ?? '')).toMatchObject({ kind: 'redriven' })
    await pipeline.drained()
    const letters = await listLetters(pipeline)
    expect(letters).toHaveLength(1)
    expect(letters[0]?.id).not.toBe(first?.id)
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 2, redriven: 1, removed: 0 })
  })

  test('what was sent is remembered without a TTL while the run has letters', async () => {
    pipeline.addWorker()
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await pipeline.drained()
    const client = redis.client()
    expect(await client.pttl(pipeline.lane.sent('run-1'))).toBeGreaterThan(0)
    await pipeline.deadLetters.record(refusal('run-1'))
    expect(await client.pttl(pipeline.lane.sent('run-1'))).toBe(-1)
  })
})

describe('a redrive', () => {
  test('takes the letter off the list and sends its writes', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    expect(await pipeline.deadLetters.retry(id)).toEqual({
      kind: 'redriven',
      acceptedFields: ['name'],
      staleFields: [],
    })
    expect(await listLetters(pipeline)).toEqual([])
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'refused' })
  })

  test('crashed before the removal: the next retry finds the writes pending, and they are sent once', async () => {
    const letter = await pipeline.deadLetters.record(refusal('run-1'))
    await pipeline.deadLetters.redrive(letter)
    expect(await pipeline.deadLetters.retry(letter.id)).toMatchObject({ kind: 'redriven', acceptedFields: ['name'] })
    pipeline.addWorker()
    await pipeline.drained()
    expect(patchesOf('run-1')).toHaveLength(1)
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 1, removed: 0 })
  })

  test('crashed before the removal, and applied since: the next retry finds it stale', async () => {
    const letter = await pipeline.deadLetters.record(refusal('run-1'))
    await pipeline.deadLetters.redrive(letter)
    pipeline.addWorker()
    await pipeline.drained()
    expect(await pipeline.deadLetters.retry(letter.id)).toEqual({
      kind: 'redriven',
      acceptedFields: [],
      staleFields: ['name'],
    })
    await pipeline.drained()
    expect(patchesOf('run-1')).toHaveLength(1)
  })

  test('crashed before its flush job was added: the sweeper adds it', async () => {
    const letter = await pipeline.deadLetters.record(refusal('run-1'))
    await pipeline.deadLetters.redrive(letter)
    await pipeline.flushQueue.queue.obliterate({ force: true })
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'refused' })
  })

  test('twice at once: one set of writes, one count', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    const results = await Promise.all([pipeline.deadLetters.retry(id), pipeline.deadLetters.retry(id)])
    expect(results.map(({ kind }) => kind)).toContain('redriven')
    pipeline.addWorker()
    await pipeline.drained()
    expect(patchesOf('run-1')).toHaveLength(1)
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 1, removed: 0 })
  })

  test('while Retry is pressed in a dashboard: one set of writes, one count, no letter left', async () => {
    pipeline.addWorker()
    const runs = Array.from({ length: 20 }, (_, i) => `run-${i}`)
    const letters = await Promise.all(runs.map((run) => pipeline.deadLetters.record(refusal(run))))
    for (const { id } of letters) await failedJob(pipeline, id)
    await Promise.all([
      pipeline.deadLetters.queue.retryJobs({ state: 'failed' }),
      ...letters.map(({ id }) => pipeline.deadLetters.retry(id)),
    ])
    await pipeline.drained()
    expect(await listLetters(pipeline)).toEqual([])
    for (const run of runs) expect(patchesOf(run)).toHaveLength(1)
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 20, redriven: 20, removed: 0 })
  })

  test('a second one while the first is on its way makes no second letter of a refusal', async () => {
    const letter = await pipeline.deadLetters.record(refusal('run-1'))
    await pipeline.deadLetters.redrive(letter)
    pipeline.simulator.setFaults({ latencyMs: 150, refuse: () => ({ code: 3, message: 'never' }) })
    const onItsWay = pipeline.simulator.next('request')
    pipeline.addWorker()
    await onItsWay
    await pipeline.deadLetters.retry(letter.id)
    await pipeline.drained()
    expect(await listLetters(pipeline)).toHaveLength(1)
    expect(patchesOf('run-1')).toHaveLength(1)
  })

  test('never overwrites what is pending and newer: it is stale', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'newer' } })
    expect(await pipeline.deadLetters.retry(id)).toMatchObject({ acceptedFields: [], staleFields: ['name'] })
    expect(await listLetters(pipeline)).toEqual([])
  })

  test('of a client key in conflict again leaves the letter as it is', async () => {
    const writes = [refusedWrite({ path: 'clientKey', value: 'mine' })]
    const { id } = await pipeline.deadLetters.record(refusal('run-1', { writes, reason: 'client_key_conflict' }))
    await pipeline.producer.enqueue({ run: { runId: 'run-1', clientKey: 'theirs' } })
    expect(await pipeline.deadLetters.retry(id)).toEqual({ kind: 'conflict', heldClientKey: 'theirs' })
    expect(await listLetters(pipeline)).toMatchObject([{ id }])
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 0, removed: 0 })
  })

  test('of what could never be read is refused, and changes nothing', async () => {
    const { id } = await pipeline.deadLetters.record(
      refusal('run-1', { writes: [], reason: 'corrupt_entry', raw: { 'stamp:name': 'x', 'value:name': '{' } }),
    )
    await expect(pipeline.deadLetters.retry(id)).rejects.toThrow(UnreadableLetterError)
    expect(await listLetters(pipeline)).toMatchObject([{ id, updateMask: '' }])
  })
})

describe('the pace of redrives', () => {
  test('is half of the rate at most, over all that redrive', async () => {
    await pipeline.throttle.setRate({ max: 20, durationMs: 1_000 })
    const runs = Array.from({ length: 6 }, (_, i) => `run-${i}`)
    const letters = await Promise.all(runs.map((run) => pipeline.deadLetters.record(refusal(run))))
    const startedAt = performance.now()
    await Promise.all(letters.map(({ id }) => pipeline.deadLetters.retry(id)))
    // The first goes at once, each of the other five a tenth of a second and two percent later.
    expect(performance.now() - startedAt).toBeGreaterThan(500)
  })
})
