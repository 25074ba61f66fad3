import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'

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

describe('the way of an update', () => {
  test('fifty updates of a run become one PATCH with one merged mask', async () => {
    const updates = Array.from({ length: 50 }, (_, i) =>
      i % 2 === 0 ? { run: { runId: 'run-1', name: `name ${i}` } } : { run: { runId: 'run-1', tags: [`tag ${i}`] } },
    )
    const results = await pipeline.producer.enqueueMany(updates)
    expect(results.every(({ status }) => status === 'accepted')).toBe(true)

    pipeline.addWorker()
    await pipeline.drained()

    expect(pipeline.simulator.requests.map(({ mask }) => mask)).toEqual(['name,tags'])
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'name 48', tags: ['tag 49'] })
  })

  test('what comes in while a PATCH is on its way is sent after it, with the newest value', async () => {
    pipeline.simulator.setFaults({ latencyMs: 150 })
    pipeline.addWorker()
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'first' } })
    await pipeline.simulator.next('request')
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'second' } })
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'third' } })
    await pipeline.drained()

    expect(pipeline.simulator.requests.map(({ body }) => body)).toEqual([
      { run: { runId: 'run-1', name: 'first' }, updateMask: 'name' },
      { run: { runId: 'run-1', name: 'third' }, updateMask: 'name' },
    ])
    expect(pipeline.simulator.maxInFlightPerRun()).toBe(1)
  })

  test('the job shows the body that was sent, and its tries', async () => {
    pipeline.addWorker()
    const { generation } = await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await pipeline.drained()
    const job = await pipeline.flushQueue.queue.getJob(`run-1.${generation}`)
    expect(job?.data.patch).toEqual({ run: { runId: 'run-1', name: 'n' }, updateMask: 'name' })
    const { logs } = await pipeline.flushQueue.queue.getJobLogs(`run-1.${generation}`)
    expect(logs).toEqual([expect.stringMatching(/^\S+ PATCH name -> 200 applied/)])
  })
})

describe('a field that is refused', () => {
  test('costs that field only', async () => {
    pipeline.simulator.setFaults({
      refuse: (_runId, mask) =>
        mask.includes('description') ? { code: 3, message: 'no such description' } : undefined,
    })
    pipeline.addWorker()
    await pipeline.producer.enqueue({
      run: { runId: 'run-1', name: 'n', description: 'd', isPinned: true, tags: ['t'], metadata: { a: 1 } },
    })
    await pipeline.drained()

    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({
      name: 'n',
      isPinned: true,
      tags: ['t'],
      description: '',
    })
    const letters = []
    for await (const job of pipeline.deadLetters.list()) letters.push(job)
    expect(letters.map(({ data }) => data)).toMatchObject([
      { runId: 'run-1', updateMask: 'description', run: { description: 'd' }, reason: 'invalid_argument', code: 3 },
    ])
    expect(letters[0]?.failedReason).toBe('no such description')
  })

  test('a client key that another service has set is a conflict, and the rest is applied', async () => {
    pipeline.simulator.createRun('run-1', { clientKey: 'theirs' })
    pipeline.addWorker()
    await pipeline.producer.enqueue({ run: { runId: 'run-1', clientKey: 'ours', name: 'n' } })
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ clientKey: 'theirs', name: 'n' })
    for await (const { data } of pipeline.deadLetters.list()) {
      expect(data).toMatchObject({ reason: 'client_key_conflict', heldClientKey: 'theirs', updateMask: 'clientKey' })
    }
  })

  test('a client key whose answer got lost is found to be set, and no dead letter', async () => {
    pipeline.simulator.setFaults({ lostAnswerRate: 1 })
    pipeline.addWorker()
    await pipeline.producer.enqueue({ run: { runId: 'run-1', clientKey: 'ours', name: 'n' } })
    await pipeline.simulator.next('finished')
    pipeline.simulator.setFaults({ lostAnswerRate: 0 })
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ clientKey: 'ours', name: 'n' })
    expect(await pipeline.deadLetters.counts()).toMatchObject({ recorded: 0 })
  })
})

describe('a run that Sift does not know', () => {
  beforeEach(() => pipeline.simulator.setFaults({ refuse: () => ({ code: 5, message: 'no such run' }) }))

  const openAheadMs = async (ms: number) => {
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    // As a clock leaves it that was set back since.
    await redis.client().hset(pipeline.lane.pending('run-1'), 'openedUs', (Date.now() + ms) * 1_000)
  }

  test('becomes a dead letter at once where the clock was set back by more than its grace', async () => {
    await openAheadMs(3_600_000)
    pipeline.addWorker({ notFoundGraceMs: 30_000 })
    await pipeline.drained()
    for await (const { data } of pipeline.deadLetters.list()) expect(data).toMatchObject({ reason: 'run_not_found' })
    expect(await pipeline.deadLetters.counts()).toMatchObject({ recorded: 1 })
  })

  test('may still be on its way where the clock was set back by less', async () => {
    await openAheadMs(10_000)
    const { facts } = pipeline.addWorker({ notFoundGraceMs: 30_000 })
    await new Promise((resolve) => facts.once('run:deferred', resolve))
    expect(await pipeline.deadLetters.counts()).toMatchObject({ recorded: 0 })
  })
})

describe('trouble', () => {
  test('an update survives errors until it is applied', async () => {
    pipeline.simulator.setFaults({ errors: { 503: 0.5 } })
    pipeline.addWorker()
    const updates = Array.from({ length: 40 }, (_, i) => ({ run: { runId: `run-${i}`, name: `n ${i}` } }))
    await pipeline.producer.enqueueMany(updates)
    await pipeline.drained(20_000)
    for (const { run } of updates) expect(pipeline.simulator.runs.get(run.runId)).toMatchObject({ name: run.name })
  })

  test('a 429 holds the lane for the wait that it tells, and the lane opens by a probe', async () => {
    pipeline.simulator.setFaults({ rateLimit: { max: 5, durationMs: 1_000 } })
    pipeline.addWorker()
    await pipeline.producer.enqueueMany(
      Array.from({ length: 12 }, (_, i) => ({ run: { runId: `run-${i}`, name: 'n' } })),
    )
    await pipeline.drained(20_000)
    expect(pipeline.simulator.runs.size).toBe(12)
    expect(pipeline.simulator.counters.answered[429]).toBeLessThan(12)
    expect((await pipeline.throttle.read()).state).toBe('open')
  })
})
