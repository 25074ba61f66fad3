import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'
import { failedJob, letterGone, listLetters, refusal } from '../dead-letters/letters.js'
import { type Board, startBoard } from './board.js'

type Button = [method: 'POST' | 'PUT' | 'PATCH', path: string, body?: object]

const STATES = ['completed', 'wait', 'active', 'delayed', 'failed', 'prioritized', 'waiting', 'paused', 'everything']

/** Buttons of a whole queue, in an order that leaves nothing out: pausing first, since some need that. */
const QUEUE_BUTTONS: readonly Button[] = [
  ['PUT', '/pause'],
  ['PUT', '/retry/failed'],
  ['PUT', '/retry/completed'],
  ['PUT', '/promote'],
  ['PUT', '/concurrency', { concurrency: 1 }],
  ['PUT', '/rate-limit', { max: 1, duration: 1 }],
  ['PUT', '/rate-limit', { max: null }],
  ['PUT', '/rate-limit/release'],
  ...STATES.map((state): Button => ['PUT', `/clean/${state}`]),
  ['PUT', '/empty'],
  ['PUT', '/obliterate', {}],
  ['PUT', '/obliterate', { force: true }],
  ['PUT', '/job-schedulers/none/remove'],
  ['PUT', '/job-schedulers/none/run'],
  ['PATCH', '/job-schedulers/none', { every: 1_000 }],
  ['PUT', '/concurrency', { concurrency: 0 }],
  ['PUT', '/resume'],
]

/** Buttons of one job. Removing it comes last. */
const JOB_BUTTONS: readonly Button[] = [
  ['PUT', '/retry'],
  ['PUT', '/promote'],
  ['PATCH', '/delay', { runAt: Date.now() + 50 }],
  ['PATCH', '/priority', { priority: 3 }],
  ['PUT', '/remove-unprocessed-children'],
  ['PATCH', '/update-data', { jobData: { edited: true } }],
  ['PUT', '/clean'],
]

let redis: TestRedis
let pipeline: Pipeline
let board: Board

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
  board = await startBoard(pipeline, redis)
})
afterEach(async () => {
  await board.close()
  await pipeline.close()
})

async function pressAll(queueName: string, buttons: readonly Button[], job = ''): Promise<number[]> {
  const statuses: number[] = []
  for (const [method, path, body] of buttons) {
    const { status } = await board.press(queueName, method, `${job}${path}`, body)
    expect([method, path, status]).not.toEqual([method, path, 500])
    statuses.push(status)
  }
  return statuses
}

test('every route by which Bull Board changes something is pressed here', () => {
  const routes = readFileSync(createRequire(import.meta.url).resolve('@bull-board/api/dist/routes.js'), 'utf8')
  const changing = [...routes.matchAll(/method: '(post|put|patch)',\s+route: '\/api\/queues(?:\/:queueName)?([^']*)'/g)]
  const known = [...QUEUE_BUTTONS, ...JOB_BUTTONS.map(([method, path]) => [method, `/:jobId${path}`] as const)].map(
    ([method, path]) =>
      `${method} ${path.replace(/(clean|retry)\/\w+$/, '$1/:queueStatus').replace('/none', '/:schedulerId')}`,
  )
  // `/pause` and `/resume` without a queue's name are those of all queues.
  const found = changing.map(([, method = '', path]) => `${method.toUpperCase()} ${path}`)
  expect(found.length).toBeGreaterThan(20)
  expect(found.filter((route) => !known.includes(route) && route !== 'POST /add')).toEqual([])
})

describe('whatever is pressed on flush jobs', () => {
  const UPDATES = Array.from({ length: 20 }, (_, index) => ({ run: { runId: `run-${index}`, name: `name ${index}` } }))

  test.each([
    ['of the queue while they wait for their window', 60_000, QUEUE_BUTTONS],
    ['of the queue while they wait for a worker', 0, QUEUE_BUTTONS],
    ['of each job', 60_000, JOB_BUTTONS],
  ])('%s, every update is sent', async (_which, coalesceWindowMs, buttons) => {
    await pipeline.addProducer({ coalesceWindowMs }).enqueueMany(UPDATES)
    const { queueName } = pipeline.lane
    if (buttons === QUEUE_BUTTONS) await pressAll(queueName, buttons)
    else {
      const jobs = await pipeline.flushQueue.queue.getJobs()
      for (const { id } of jobs) await pressAll(queueName, buttons, `/${id}`)
    }
    pipeline.addWorker()
    await pipeline.drained()
    for (const { run } of UPDATES) expect(pipeline.simulator.runs.get(run.runId)).toMatchObject({ name: run.name })
  })

  test('by hand beside a worker at work, every update is sent', async () => {
    pipeline.addWorker()
    for (const update of UPDATES) {
      await pipeline.producer.enqueue(update)
      const [job] = await pipeline.flushQueue.queue.getJobs()
      if (job) await pressAll(pipeline.lane.queueName, JOB_BUTTONS, `/${job.id}`)
    }
    await pressAll(pipeline.lane.queueName, QUEUE_BUTTONS)
    await pipeline.drained()
    for (const { run } of UPDATES) expect(pipeline.simulator.runs.get(run.runId)).toMatchObject({ name: run.name })
  })

  test('a job that is added or edited by hand is refused with the way out', async () => {
    await pipeline.addProducer({ coalesceWindowMs: 60_000 }).enqueue({ run: { runId: 'run-1', name: 'n' } })
    const [job] = await pipeline.flushQueue.queue.getJobs()
    const edit = { jobData: { run: { name: 'other' } } }
    for (const pressed of [
      await board.press(pipeline.lane.queueName, 'POST', '/add', { name: 'flush', data: {} }),
      await board.press(pipeline.lane.queueName, 'PATCH', `/${job?.id}/update-data`, edit),
    ]) {
      expect(pressed).toMatchObject({ status: 403, body: { message: expect.stringMatching(/updates?\b/) } })
    }
  })
})

test.each([
  ['/concurrency', { concurrency: 1 }, { concurrency: 0 }],
  ['/rate-limit', { max: 1, duration: 3_600_000 }, { max: null }],
])('%s would slow a queue down without a sign, so it is refused, and lifted', async (path, limit, lift) => {
  const { lane } = pipeline
  for (const name of [lane.queueName, lane.intakeQueueName, lane.deadLetterQueueName]) {
    const pressed = await board.press(name, 'PUT', path, limit)
    expect(pressed).toMatchObject({ status: 403, body: { message: expect.stringContaining('RATE_LIMIT_MAX') } })
    expect((await board.press(name, 'GET', '/rate-limit')).status).toBe(200)
    expect((await board.press(name, 'PUT', path, lift)).status).toBeLessThan(300)
  }
  expect(await pipeline.flushQueue.queue.getGlobalConcurrency()).toBeNull()
  expect(await pipeline.flushQueue.queue.getGlobalRateLimit()).toBeNull()
})

test('a flush job can be put off neither by a delay nor by a priority', async () => {
  await pipeline.addProducer({ coalesceWindowMs: 60_000 }).enqueue({ run: { runId: 'run-1', name: 'n' } })
  const [job] = await pipeline.flushQueue.queue.getJobs()
  for (const [path, body] of [
    ['/delay', { runAt: Date.now() + 365 * 86_400_000 }],
    ['/priority', { priority: 3 }],
  ] as const) {
    const pressed = await board.press(pipeline.lane.queueName, 'PATCH', `/${job?.id}${path}`, body)
    expect(pressed).toMatchObject({ status: 403, body: { message: expect.stringContaining('lane hold') } })
  }
})

describe('whatever is pressed on the intake queue', () => {
  const update = (index: number) => ({ run: { runId: `run-${index}`, name: `name ${index}` } })

  test('every update that was not taken in yet is taken in and sent', async () => {
    const jobs = await board.intake.addBulk(
      Array.from({ length: 12 }, (_, index) => ({
        name: 'u',
        data: update(index),
        opts: index % 3 === 1 ? { delay: 100 } : index % 3 === 2 ? { priority: 2 } : {},
      })),
    )
    const { intakeQueueName } = pipeline.lane
    for (const { id } of jobs) await pressAll(intakeQueueName, JOB_BUTTONS, `/${id}`)
    await pressAll(intakeQueueName, QUEUE_BUTTONS)
    pipeline.addWorker()
    for (const { data } of jobs) {
      const { runId, name } = data.run
      await waitFor(`${runId} to be sent`, () => pipeline.simulator.runs.get(runId)?.name === name)
    }
  })

  test('a failed one goes one by one only, and can be mended and retried', async () => {
    pipeline.addWorker()
    const { intakeQueueName } = pipeline.lane
    const [mended, removed] = await board.intake.addBulk([
      { name: 'u', data: { mend: 'me' } },
      { name: 'u', data: {} },
    ])
    await waitFor('both to fail', async () => (await board.intake.getFailedCount()) === 2)
    for (const path of ['/clean/failed', '/empty', '/obliterate']) {
      expect((await board.press(intakeQueueName, 'PUT', path, {})).status).toBe(403)
    }
    expect(await board.intake.getFailedCount()).toBe(2)
    await board.press(intakeQueueName, 'PATCH', `/${mended?.id}/update-data`, { jobData: update(1) })
    expect((await board.press(intakeQueueName, 'PUT', `/${mended?.id}/retry`)).status).toBe(204)
    expect((await board.press(intakeQueueName, 'PUT', `/${removed?.id}/clean`)).status).toBe(204)
    await waitFor('the mended one to be sent', () => pipeline.simulator.runs.has('run-1'))
  })

  test('an update that is added by hand is sent', async () => {
    pipeline.addWorker()
    await board.press(pipeline.lane.intakeQueueName, 'POST', '/add', { name: 'by hand', data: update(7) })
    await waitFor('it to be sent', () => pipeline.simulator.runs.has('run-7'))
  })
})

describe('whatever is pressed on dead letters', () => {
  async function recordFailed(runs: readonly string[]): Promise<string[]> {
    const ids: string[] = []
    for (const run of runs) ids.push((await pipeline.deadLetters.record(refusal(run))).id)
    pipeline.addWorker()
    for (const id of ids) await failedJob(pipeline, id)
    return ids
  }

  test('of the whole queue, no letter is gone that was not redriven', async () => {
    await recordFailed(['run-1', 'run-2', 'run-3'])
    await pressAll(pipeline.lane.deadLetterQueueName, QUEUE_BUTTONS)
    await pipeline.drained()
    await waitFor('the retried letters to be gone', async () => (await listLetters(pipeline)).length === 0)
    for (const run of ['run-1', 'run-2', 'run-3']) {
      expect(pipeline.simulator.runs.get(run)).toMatchObject({ name: 'refused' })
    }
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 3, redriven: 3, removed: 0 })
  })

  test('before any worker has seen them, they stay', async () => {
    for (const run of ['run-1', 'run-2']) await pipeline.deadLetters.record(refusal(run))
    await pressAll(pipeline.lane.deadLetterQueueName, QUEUE_BUTTONS)
    expect(await listLetters(pipeline)).toHaveLength(2)
  })

  test.each(['/clean/failed', '/clean/wait', '/empty', '/obliterate'])('%s is refused', async (path) => {
    const [id = ''] = await recordFailed(['run-1'])
    const pressed = await board.press(pipeline.lane.deadLetterQueueName, 'PUT', path, { force: true })
    expect(pressed).toMatchObject({ status: 403, body: { message: expect.stringContaining('dead-letters discard') } })
    expect(await pipeline.deadLetters.find(id)).toBeDefined()
  })

  test('a letter that is forged under an id that a real one will have is refused', async () => {
    const add = { name: 'dead-letter', data: {}, options: { jobId: 'run-1.0123456789abcdef' } }
    expect((await board.press(pipeline.lane.deadLetterQueueName, 'POST', '/add', add)).status).toBe(403)
  })

  test('Retry of one sends it again', async () => {
    const [id = ''] = await recordFailed(['run-1'])
    expect((await board.press(pipeline.lane.deadLetterQueueName, 'PUT', `/${id}/retry`)).status).toBe(204)
    await letterGone(pipeline, id)
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'refused' })
  })

  test('removing one discards it, and it is counted', async () => {
    const [id = ''] = await recordFailed(['run-1', 'run-2'])
    expect((await board.press(pipeline.lane.deadLetterQueueName, 'PUT', `/${id}/clean`)).status).toBe(204)
    expect(await listLetters(pipeline)).toHaveLength(1)
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 2, redriven: 0, removed: 1 })
  })

  test('an edited one is sent as it was mended', async () => {
    const [id = ''] = await recordFailed(['run-1'])
    const job = await pipeline.deadLetters.find(id)
    const jobData = { ...job?.data, run: { runId: 'run-1', name: 'mended' } }
    await board.press(pipeline.lane.deadLetterQueueName, 'PATCH', `/${id}/update-data`, { jobData })
    await board.press(pipeline.lane.deadLetterQueueName, 'PUT', `/${id}/retry`)
    await letterGone(pipeline, id)
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'mended' })
  })
})

test('pausing and resuming all queues loses nothing', async () => {
  const { server, intake } = board
  expect((await server.inject({ method: 'PUT', url: '/dashboard/api/queues/pause' })).statusCode).toBe(200)
  pipeline.addWorker()
  await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
  await intake.add('u', { run: { runId: 'run-2', name: 'n' } })
  await pipeline.deadLetters.record(refusal('run-3'))
  expect((await server.inject({ method: 'PUT', url: '/dashboard/api/queues/resume' })).statusCode).toBe(200)
  await waitFor(
    'both runs to be sent',
    () => pipeline.simulator.runs.has('run-1') && pipeline.simulator.runs.has('run-2'),
  )
  expect(await listLetters(pipeline)).toHaveLength(1)
})

test('what does not fit the state of a job, or no job at all, is told as the caller’s mistake', async () => {
  const { intakeQueueName } = pipeline.lane
  const { id } = await board.intake.add('u', {})
  expect(await board.press(intakeQueueName, 'PUT', `/${id}/promote`)).toMatchObject({
    status: 409,
    body: { error: 'That can’t be done now', message: expect.stringContaining('not in the delayed state') },
  })
  expect((await board.press(intakeQueueName, 'PUT', '/no-such-job/retry')).status).toBe(404)
  expect((await board.press('no-such-queue', 'PUT', '/pause')).status).toBe(404)
})
