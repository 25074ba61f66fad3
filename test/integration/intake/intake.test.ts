import type { Queue } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RedisUnavailableError, UpdateRejectedError } from '../../../src/errors.js'
import { openIntakeQueue } from '../../../src/intake/intake-queue.js'
import { createIntakeWorker } from '../../../src/intake/intake-worker.js'
import { policyWith } from '../../../src/policy.js'
import { rejection } from '../../../src/producer/enqueue-result.js'
import { laneOf } from '../../../src/redis/lane.js'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'

let redis: TestRedis
let pipeline: Pipeline
let intake: Queue

beforeAll(async () => {
  redis = await startTestRedis({ appendfsync: 'everysec' })
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
  intake = openIntakeQueue(redis.client({ maxRetriesPerRequest: null }), pipeline.lane)
})
afterEach(async () => {
  await intake.close()
  await pipeline.close()
})

const OVERLOADED = new UpdateRejectedError('overloaded', '', 'at its limit')

const update = (name: string, more: object = {}) => ({ run: { runId: 'run-1', name }, ...more })

async function takenIn(): Promise<void> {
  await waitFor('the intake queue to be empty', async () => {
    const counts = await intake.getJobCounts('waiting', 'active', 'delayed', 'prioritized')
    return Object.values(counts).every((count) => count === 0)
  })
}

async function stateOf(id: string | undefined) {
  const job = await waitFor('the job to end', async () => {
    const found = await intake.getJob(id ?? '')
    return found?.finishedOn !== undefined && found
  })
  return { state: await job.getState(), failedReason: job.failedReason, returned: job.returnvalue }
}

test('the queue has the name that clients in other languages are told of', () => {
  expect(laneOf().intakeQueueName).toBe('run-updates-intake')
})

describe('a job whose data is an update', () => {
  test('is merged, sent and completed', async () => {
    pipeline.addWorker()
    const { id } = await intake.add('anything', update('from a job'))
    expect(await stateOf(id)).toMatchObject({ state: 'completed', returned: 'accepted' })
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'from a job' })
  })

  test('is merged with others of its run into one PATCH', async () => {
    await intake.addBulk(['a', 'b', 'c'].map((name) => ({ name: 'u', data: update(name) })))
    pipeline.addWorker({ coalesceWindowMs: 300 })
    await takenIn()
    await pipeline.drained()
    expect(pipeline.simulator.requests).toHaveLength(1)
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'c' })
  })

  test('that a worker had in hand when it was closed is taken in once, by the next one', async () => {
    await intake.addBulk(Array.from({ length: 500 }, (_, index) => ({ name: 'u', data: update(`name ${index}`) })))
    const first = pipeline.addWorker()
    await first.ready()
    await first.close()
    pipeline.addWorker()
    await takenIn()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'name 499' })
    expect(await intake.getFailedCount()).toBe(0)
  })
})

describe('a bad job', () => {
  test.each([
    ['no run', { source: 'x' }, 'there is no run in the update'],
    ['a key that no update has', { name: 'x' }, 'name is no key that the API has'],
    ['a value of the wrong type', update(7 as never), 'run.name'],
    ['nothing', null, 'there is no run in the update'],
    ['an observation in the future', update('x', { observedAt: '2999-01-01T00:00:00Z' }), 'five minutes ahead'],
  ])(
    'with %s fails at once with the words of the refusal, whatever attempts it asked for',
    async (_what, data, words) => {
      pipeline.addWorker()
      const { id } = await intake.add('u', data, { attempts: 5 })
      expect(await stateOf(id)).toMatchObject({ state: 'failed', failedReason: expect.stringContaining(words) })
      expect((await intake.getJob(id ?? ''))?.attemptsMade).toBe(1)
    },
  )

  test('does not stop the others', async () => {
    await intake.addBulk([
      { name: 'u', data: {} },
      { name: 'u', data: update('good') },
    ])
    pipeline.addWorker()
    await takenIn()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'good' })
  })

  test('that a person has mended is taken in by a retry', async () => {
    pipeline.addWorker()
    const job = await intake.add('u', {})
    await stateOf(job.id)
    await job.updateData(update('mended'))
    await job.retry()
    await waitFor('the run to be sent', () => pipeline.simulator.runs.get('run-1')?.name === 'mended')
  })
})

describe('the order of jobs', () => {
  test('is that of their timestamps, however late one is taken', async () => {
    const now = Date.now()
    await intake.add('u', update('older'), { timestamp: now - 1_000, delay: 1_300 })
    await intake.add('u', update('newer'), { timestamp: now })
    pipeline.addWorker()
    await takenIn()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'newer' })
  })

  test('of one millisecond is that of their numbers', async () => {
    const timestamp = Date.now()
    await intake.add('u', update('first'), { timestamp, delay: 300 })
    await intake.add('u', update('second'), { timestamp })
    pipeline.addWorker()
    await takenIn()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'second' })
  })

  test('is that of observedAt where they name one', async () => {
    await intake.add('u', update('newer', { observedAt: '2026-01-01T00:00:01Z' }))
    await intake.add('u', update('older', { observedAt: '2026-01-01T00:00:00Z' }))
    pipeline.addWorker()
    await takenIn()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'newer' })
  })

  test('of jobs with ids of their own in one millisecond is that in which they are taken', async () => {
    const timestamp = Date.now()
    await intake.add('u', update('first'), { timestamp, jobId: 'my-job-a' })
    await intake.add('u', update('second'), { timestamp, jobId: 'my-job-b' })
    pipeline.addWorker()
    await takenIn()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'second' })
  })
})

describe('a job that cannot be taken in now', () => {
  test.each([
    ['since Redis did not answer in time', () => Promise.reject(new RedisUnavailableError('no answer'))],
    ['since the lane is at its limit', () => Promise.resolve([rejection('run-1', OVERLOADED)])],
  ])('%s, is put back for later and does not fail', async (_why, enqueueParsed) => {
    const connection = redis.client({ maxRetriesPerRequest: null })
    const worker = createIntakeWorker(connection, pipeline.lane, { enqueueParsed }, policyWith({}))
    const { id = '' } = await intake.add('u', update('later'))
    void worker.run()
    await waitFor('the job to be put back', async () => (await intake.getJobState(id)) === 'delayed')
    await worker.close()
    expect((await intake.getJob(id))?.attemptsMade).toBe(0)
  })
})

test('a Redis that is frozen for longer than a merge may take fails no job: each is taken in later', async () => {
  pipeline.addWorker({ lockDurationMs: 20_000 })
  const { id } = await intake.add('u', update('before'))
  await stateOf(id)
  const jobs = Array.from({ length: 200 }, (_, index) => ({ name: 'u', data: update(`name ${index}`) }))
  const adding = intake.addBulk(jobs)
  redis.freeze()
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  redis.thaw()
  await adding
  await takenIn()
  await pipeline.drained()
  expect(await intake.getFailedCount()).toBe(0)
  expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'name 199' })
})

test('ten thousand jobs are taken in at several thousand a second', async () => {
  const runs = 200
  const jobs = Array.from({ length: 10_000 }, (_, index) => ({
    name: 'u',
    data: { run: { runId: `run-${index % runs}`, name: `name ${index}` } },
  }))
  for (let start = 0; start < jobs.length; start += 1_000) await intake.addBulk(jobs.slice(start, start + 1_000))
  const worker = pipeline.addWorker({ coalesceWindowMs: 1_000 })
  await worker.ready()
  const startedAt = performance.now()
  await takenIn()
  const seconds = (performance.now() - startedAt) / 1_000
  console.info(`intake: ${Math.round(10_000 / seconds)} jobs a second`)
  // A tenth of what an idle machine does: only a loss of the batches must turn it red.
  expect(10_000 / seconds).toBeGreaterThan(500)
  await pipeline.drained()
  for (let run = 0; run < runs; run++) {
    expect(pipeline.simulator.runs.get(`run-${run}`)).toMatchObject({ name: `name ${10_000 - runs + run}` })
  }
})
