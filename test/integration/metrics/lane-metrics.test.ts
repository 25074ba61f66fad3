import { Registry } from 'prom-client'
import { beforeEach, describe, expect, test } from 'vitest'
import { collectMetrics } from '../../../src/metrics/fact-metrics.js'
import { sampleLane } from '../../../src/metrics/lane-metrics.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'

expectNoLeaks()

let redis: TestRedis
let pipeline: Pipeline
let registry: Registry

beforeEach(async () => {
  redis = await startTestRedis()
  pipeline = await startPipeline(redis)
  const client = redis.client({ maxRetriesPerRequest: null })
  await client.ping()
  registry = new Registry()
  const metrics = sampleLane({ ...pipeline, redis: client }, registry)
  return async () => {
    await metrics.close()
    await pipeline.close()
    await redis.close()
  }
})

/** The values of a metric, by its labels other than the lane. */
async function read(name: string): Promise<Record<string, number>> {
  const text = await registry.getSingleMetricAsString(`sift_run_updater_${name}`)
  const values: Record<string, number> = {}
  for (const line of text.split('\n')) {
    const [, labels = '', value] = /^\w+\{(.*)\} (\S+)$/.exec(line) ?? []
    if (value === undefined) continue
    expect(labels).toContain(`lane="${pipeline.lane.queueName}"`)
    values[labels.replace(/lane="[^"]*",?/, '')] = Number(value)
  }
  return values
}

test('an idle lane tells zeros', async () => {
  expect(await read('redis_up')).toEqual({ '': 1 })
  expect(await read('pending_runs')).toEqual({ '': 0 })
  expect(await read('pending_oldest_age_seconds')).toEqual({ '': 0 })
  expect(await read('throttle_state')).toEqual({ 'state="open"': 1, 'state="held"': 0, 'state="probing"': 0 })
  expect(await read('throttle_held_seconds')).toEqual({ 'reason="none"': 0 })
  expect(await read('dead_letters')).toEqual({})
  expect(await read('dead_letters_recorded_total')).toEqual({ '': 0 })
})

test('what waits is told, with the age of the oldest and the jobs for it', async () => {
  await pipeline
    .addProducer({ coalesceWindowMs: 60_000 })
    .enqueueMany([
      { run: { runId: 'a', name: 'n' } },
      { run: { runId: 'b', name: 'n' } },
      { run: { runId: 'b', description: 'd' } },
    ])
  await redis.client().zadd(pipeline.lane.index, 'XX', Date.now() - 90_000, 'a')
  expect(await read('pending_runs')).toEqual({ '': 2 })
  expect((await read('pending_oldest_age_seconds'))['']).toBeCloseTo(90, 0)
  expect(await read('jobs')).toMatchObject({
    [`queue="${pipeline.lane.queueName}",state="delayed"`]: 2,
    [`queue="${pipeline.lane.intakeQueueName}",state="waiting"`]: 0,
  })
})

test('a hold is told with its reason, and for how long', async () => {
  await pipeline.throttle.hold('maintenance')
  await redis.client().hincrby(pipeline.lane.throttle, 'sinceUs', -30_000_000)
  expect(await read('throttle_state')).toMatchObject({ 'state="held"': 1, 'state="open"': 0 })
  expect((await read('throttle_held_seconds'))['reason="operator"']).toBeCloseTo(30, 0)
})

test('a queue that is paused in BullMQ is told, each by its name', async () => {
  const { queueName, intakeQueueName, deadLetterQueueName } = pipeline.lane
  const paused = async () => await read('queue_paused')
  expect(await paused()).toEqual({
    [`queue="${queueName}"`]: 0,
    [`queue="${intakeQueueName}"`]: 0,
    [`queue="${deadLetterQueueName}"`]: 0,
  })
  await pipeline.flushQueue.queue.pause()
  await waitFor('the pause to show', async () => (await paused())[`queue="${queueName}"`] === 1)
  expect(await paused()).toMatchObject({ [`queue="${intakeQueueName}"`]: 0, [`queue="${deadLetterQueueName}"`]: 0 })
  await pipeline.flushQueue.queue.resume()
  await waitFor('its end to show', async () => (await paused())[`queue="${queueName}"`] === 0)
})

test('dead letters are told by reason while they are there, and counted when they come and go', async () => {
  pipeline.simulator.setFaults({
    refuse: (_runId, mask) => (mask.includes('description') ? { code: 3, message: 'no such description' } : undefined),
    deny: new Set(['denied']),
  })
  pipeline.addWorker()
  await pipeline.producer.enqueueMany([
    { run: { runId: 'a', description: 'd' } },
    { run: { runId: 'b', description: 'd' } },
    { run: { runId: 'denied', name: 'n' } },
  ])
  await pipeline.drained()
  expect(await read('dead_letters')).toEqual({ 'reason="invalid_argument"': 2, 'reason="permission_denied"': 1 })
  expect(await read('dead_letter_jobs')).toMatchObject({ 'state="failed"': 3 })

  pipeline.simulator.setFaults({ refuse: () => undefined })
  for await (const { data } of pipeline.deadLetters.list()) {
    if (data.runId === 'a') await pipeline.deadLetters.retry(data.id)
    if (data.runId === 'b') await pipeline.deadLetters.discard(data.id)
  }
  await waitFor('the letters to leave', async () => {
    const { 'reason="invalid_argument"': left } = await read('dead_letters')
    return left === undefined
  })
  expect(await read('dead_letters')).toEqual({ 'reason="permission_denied"': 1 })
  expect(await read('dead_letters_recorded_total')).toEqual({ '': 3 })
  expect(await read('dead_letters_redriven_total')).toEqual({ '': 1 })
  expect(await read('dead_letters_removed_total')).toEqual({ '': 1 })
})

test('letters are read once, however often one looks', async () => {
  pipeline.simulator.setFaults({ deny: new Set(['denied']) })
  const worker = pipeline.addWorker()
  await pipeline.producer.enqueue({ run: { runId: 'denied', name: 'n' } })
  await pipeline.drained()
  await worker.close()
  await read('dead_letters')
  const commands = async (): Promise<number> => {
    const info = await redis.client().info('stats')
    return Number(/total_commands_processed:(\d+)/.exec(info)?.[1])
  }
  const letterReads: string[] = []
  const find = pipeline.deadLetters.find.bind(pipeline.deadLetters)
  pipeline.deadLetters.find = (id) => {
    letterReads.push(id)
    return find(id)
  }
  const before = await commands()
  await waitFor('a new look', async () => {
    await registry.metrics()
    return (await commands()) - before > 30
  })
  expect(letterReads).toEqual([])
})

describe('where Redis is away', () => {
  test('a scrape succeeds at once, and tells that and no state of the lane', async () => {
    await redis.kill()
    await waitFor('the loss to show', async () => (await read('redis_up'))[''] === 0)
    const text = await registry.metrics()
    expect(text).not.toMatch(/^sift_run_updater_(pending|throttle|dead|jobs)\w*\{/m)
  })

  test('and does not answer, a scrape ends all the same', async () => {
    redis.freeze()
    try {
      expect(await read('redis_up')).toEqual({ '': 0 })
    } finally {
      redis.thaw()
    }
    await waitFor('its return to show', async () => (await read('redis_up'))[''] === 1)
  })
})

test('two scrapes at once share one look, and tell the same', async () => {
  await pipeline.addProducer({ coalesceWindowMs: 60_000 }).enqueue({ run: { runId: 'a', name: 'n' } })
  const [first, second] = await Promise.all([registry.metrics(), registry.metrics()])
  expect(second).toBe(first)
})

test('a look makes no queue for the intake where there is none', async () => {
  await registry.metrics()
  const { prefix, intakeQueueName } = pipeline.lane
  expect(await redis.client().keys(`${prefix}:${intakeQueueName}:*`)).toEqual([])
})

test('the way of updates is counted from their arrival to the PATCH', async () => {
  registry = new Registry()
  collectMetrics(pipeline.producer.facts, registry, pipeline.lane.queueName)
  await pipeline.producer.enqueueMany([
    { run: { runId: 'a', name: 'n' }, source: 'ingest' },
    { run: { runId: 'a', description: 'd' }, source: 'ingest' },
    // @ts-expect-error a field that the API does not have
    { run: { runId: 'a', colour: 'red' } },
    { run: { runId: 'a', name: 'n' }, observedAt: '2999-01-01T00:00:00Z', source: 'skewed' },
  ])
  const worker = pipeline.addWorker()
  collectMetrics(worker.facts, registry, pipeline.lane.queueName)
  await pipeline.drained()
  await worker.close()
  expect(await read('updates_total')).toEqual({
    'result="accepted",source="ingest"': 2,
    'result="rejected",source="none"': 1,
    'result="rejected",source="skewed"': 1,
  })
  expect(await read('updates_rejected_total')).toEqual({ 'code="unknown_field"': 1, 'code="observed_in_future"': 1 })
  expect(await read('patches_total')).toEqual({ 'outcome="applied"': 1 })
  const text = await registry.metrics()
  expect(text).toContain(`updates_per_patch_sum{lane="${pipeline.lane.queueName}"} 2`)
  expect(text).toContain(`enqueue_to_applied_seconds_count{lane="${pipeline.lane.queueName}"} 2`)
})
