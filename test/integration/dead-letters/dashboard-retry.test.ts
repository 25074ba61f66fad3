import { once } from 'node:events'
import { Worker } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { failedJob, letterGone, listLetters, refusal, refusedWrite } from './letters.js'

/** What a killed worker had is found soon. */
const SOON_STALLED = { lockDurationMs: 1_000, stalledIntervalMs: 100 }

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

async function recordAndFail(changes: Parameters<typeof refusal>[1] = {}) {
  const { id } = await pipeline.deadLetters.record(refusal('run-1', changes))
  pipeline.addWorker()
  return await failedJob(pipeline, id)
}

describe('a new letter', () => {
  test("fails on sight, with the API's own words as the reason", async () => {
    const job = await recordAndFail()
    expect(job.failedReason).toBe('the API says no')
    expect(pipeline.simulator.requests).toEqual([])
  })

  test('is a letter before any worker has seen it', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    expect(await listLetters(pipeline)).toMatchObject([{ id, runId: 'run-1', updateMask: 'name' }])
  })

  test('fails with its own message, too, where the worker that had it was killed', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    const killed = await startAndLeave(pipeline)
    expect(killed).toBe(id)
    pipeline.addWorker(SOON_STALLED)
    expect((await failedJob(pipeline, id)).failedReason).toBe('the API says no')
    expect(pipeline.simulator.requests).toEqual([])
  })
})

describe('Retry in a dashboard', () => {
  test.each([
    ['as it is', {}],
    ['with the attempts reset', { resetAttemptsMade: true, resetAttemptsStarted: true }],
  ])('sends the refused writes again, %s', async (_how, options) => {
    const job = await recordAndFail()
    await job.retry('failed', options)
    await letterGone(pipeline, job.data.id)
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'refused' })
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 1, removed: 0 })
  })

  test('of all letters sends them all', async () => {
    for (const run of ['run-1', 'run-2', 'run-3']) await pipeline.deadLetters.record(refusal(run))
    pipeline.addWorker()
    await pipeline.drained()
    await pipeline.deadLetters.queue.retryJobs({ state: 'failed' })
    await pipeline.drained()
    expect(await listLetters(pipeline)).toEqual([])
    for (const run of ['run-1', 'run-2', 'run-3']) {
      expect(pipeline.simulator.runs.get(run)).toMatchObject({ name: 'refused' })
    }
  })

  test('sends what a person has mended', async () => {
    const job = await recordAndFail()
    await job.updateData({ ...job.data, run: { runId: 'run-1', name: 'mended' } })
    await job.retry()
    await letterGone(pipeline, job.data.id)
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'mended' })
  })

  test('never overwrites what was applied since: the letter leaves the list as stale', async () => {
    const job = await recordAndFail()
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'newer' } })
    await pipeline.drained()
    await job.retry()
    await letterGone(pipeline, job.data.id)
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'newer' })
    expect(pipeline.simulator.requests).toHaveLength(1)
  })

  test('of a client key that is in conflict again fails with the same words, and the log tells why', async () => {
    const job = await recordAndFail({
      writes: [refusedWrite({ path: 'clientKey', value: 'mine' })],
      reason: 'client_key_conflict',
      heldClientKey: 'theirs',
    })
    await pipeline.producer.enqueue({ run: { runId: 'run-1', clientKey: 'theirs' } })
    await job.retry()
    const again = await failedJob(pipeline, job.data.id, 2)
    expect(again.failedReason).toBe('the API says no')
    const { logs } = await pipeline.deadLetters.queue.getJobLogs(job.data.id)
    expect(logs).toEqual([expect.stringContaining('held by "theirs"')])
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 0, removed: 0 })
  })

  test.each([
    ['a value of the wrong type', { run: { runId: 'run-1', name: 7 } }],
    ['another run', { run: { runId: 'run-2', name: 'n' } }],
    ['a field that it never had', { run: { runId: 'run-1', tags: ['t'] }, updateMask: 'tags' }],
    ['a run that is none', { run: 'run-1' }],
    ['a mask that is none', { updateMask: 5 }],
    ['no bookkeeping', { stamps: null }],
  ])('of a letter that was edited into %s changes nothing, and it stays with its cause', async (_what, edit) => {
    const job = await recordAndFail()
    // What a dashboard's editor takes is any JSON.
    await job.updateData({ ...job.data, ...(edit as object) })
    await job.retry()
    expect((await failedJob(pipeline, job.data.id, 2)).failedReason).toBe('the API says no')
    expect(await listLetters(pipeline)).toMatchObject([{ id: job.data.id, runId: 'run-1', message: 'the API says no' }])
    await pipeline.drained()
    expect(pipeline.simulator.requests).toEqual([])
  })

  test('a letter whose data was emptied by hand is still a letter', async () => {
    const job = await recordAndFail()
    await job.updateData({} as never)
    expect(await listLetters(pipeline)).toMatchObject([{ id: job.id, runId: 'run-1', message: 'the API says no' }])
    await job.retry()
    await failedJob(pipeline, job.id ?? '', 2)
    expect(await listLetters(pipeline)).toMatchObject([{ id: job.id, runId: 'run-1' }])
  })

  test('that waits for its turn when the worker closes goes back into the queue, unmerged', async () => {
    const letters = await Promise.all(['run-1', 'run-2'].map((run) => pipeline.deadLetters.record(refusal(run))))
    const slow = pipeline.addWorker({ rateLimit: { max: 1, durationMs: 60_000 } })
    for (const { id } of letters) await failedJob(pipeline, id)
    const redriven = once(slow.facts, 'dead-letter:redriven')
    await pipeline.deadLetters.queue.retryJobs({ state: 'failed' })
    await redriven
    await slow.close()
    expect(await pipeline.deadLetters.queue.getJobCounts('waiting', 'active', 'failed')).toEqual({
      waiting: 1,
      active: 0,
      failed: 0,
    })
    expect(await listLetters(pipeline)).toHaveLength(1)
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 2, redriven: 1, removed: 0 })
  })

  test('of a job that is no letter fails, and no letter is listed for it', async () => {
    const { queue } = pipeline.deadLetters
    const worker = pipeline.addWorker()
    const foreign = once(worker.facts, 'job:foreign')
    const job = await queue.add('something', { id: 'x', runId: 'r', run: {}, updateMask: '', message: '' } as never)
    expect(await foreign).toMatchObject([{ jobId: job.id }])
    expect(await listLetters(pipeline)).toEqual([])
  })
})

describe('a worker that is killed in the middle of a retry', () => {
  test('after the merge: the next one finds the writes pending, sends them once and counts once', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    const first = pipeline.addWorker(SOON_STALLED)
    const job = await failedJob(pipeline, id)
    await first.close()
    await job.retry()
    expect(await startAndLeave(pipeline)).toBe(id)
    await pipeline.deadLetters.redrive(job.data)
    await pipeline.deadLetters.countRedriven(id)

    pipeline.addWorker(SOON_STALLED)
    await letterGone(pipeline, id)
    await pipeline.drained()
    expect(pipeline.simulator.requests).toHaveLength(1)
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 1, removed: 0 })
  })

  test('before the merge: the next one redrives it', async () => {
    const { id } = await pipeline.deadLetters.record(refusal('run-1'))
    const first = pipeline.addWorker(SOON_STALLED)
    const job = await failedJob(pipeline, id)
    await first.close()
    await job.retry()
    expect(await startAndLeave(pipeline)).toBe(id)

    pipeline.addWorker(SOON_STALLED)
    await letterGone(pipeline, id)
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'refused' })
  })
})

/** What a killed worker leaves behind: its next job active, with a lock that ends and nobody renews. */
async function startAndLeave({ deadLetters, lane }: Pipeline): Promise<string | undefined> {
  const connection = redis.client({ maxRetriesPerRequest: null })
  const worker = new Worker(lane.deadLetterQueueName, null, { connection, prefix: lane.prefix, lockDuration: 300 })
  const job = await worker.getNextJob('killed')
  expect(await deadLetters.queue.getActiveCount()).toBe(1)
  await worker.close(true)
  return job?.id
}
