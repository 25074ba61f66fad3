import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'

let redis: TestRedis
let pipeline: Pipeline

beforeEach(async () => {
  redis = await startTestRedis()
  pipeline = await startPipeline(redis)
})
afterEach(async () => {
  await pipeline.close()
  await redis.close()
})

/** One run fails alone until its attempts are used up, and backs off once more before it is given up. */
async function useUpAttempts(runId: string, description: string): Promise<void> {
  const { producer, simulator, lane } = pipeline
  simulator.setFaults({ html: { status: 403, runs: new Set([runId]) } })
  pipeline.addWorker({ maxAttempts: 2, minBackoffMs: 1_000, maxBackoffMs: 1_000 })
  await producer.enqueue({ run: { runId, description } })
  let others = 0
  await waitFor('the last failure', async () => {
    // Its failures count only where others are applied.
    await producer.enqueue({ run: { runId: `other-${others++}`, name: 'n' } })
    return (await redis.client().hget(lane.pending(runId), 'failures')) === '2'
  })
}

test('what arrives after the last try of a run is not given up with what was tried', async () => {
  const { producer, simulator, deadLetters } = pipeline
  await useUpAttempts('run-1', '<script>')
  simulator.setFaults({ html: undefined })
  await producer.enqueue({ run: { runId: 'run-1', description: 'mended', name: 'never sent' } })
  await pipeline.drained()
  expect(simulator.runs.get('run-1')).toMatchObject({ description: 'mended', name: 'never sent' })
  expect(await deadLetters.ids()).toEqual([])
})

test('what was tried becomes a dead letter with its last answer, and what arrived since is sent', async () => {
  const { producer, simulator, deadLetters } = pipeline
  await useUpAttempts('run-1', '<script>')
  simulator.setFaults({ html: undefined })
  await producer.enqueue({ run: { runId: 'run-1', name: 'never sent' } })
  await pipeline.drained()
  expect(simulator.runs.get('run-1')).toMatchObject({ description: '', name: 'never sent' })
  const [id = ''] = await deadLetters.ids()
  const letter = (await deadLetters.find(id))?.data
  expect(letter).toMatchObject({ reason: 'attempts_exhausted', run: { description: '<script>' }, httpStatus: 403 })
  expect(letter?.message).toContain('HTML')
})
