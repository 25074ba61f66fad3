import { Queue, Worker } from 'bullmq'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FactEmitter } from '../../src/events.js'
import { DEFAULT_POLICY } from '../../src/policy.js'
import type { LaneState, Throttle } from '../../src/throttle/throttle.js'
import { LaneGate } from '../../src/worker/lane-gate.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

/** From the end of a job, BullMQ's main loop takes about twelve turns to end. */
const MOST_TURNS = 30

const OPEN: LaneState = {
  state: 'open',
  reason: null,
  detail: null,
  sinceMs: null,
  untilMs: null,
  remainingMs: null,
  isProbing: false,
  rate: null,
  spacingMs: null,
}

let redis: TestRedis

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())

test('a lane that opens just as the last job ends never leaves a worker that takes no jobs', async () => {
  const connection = redis.client({ maxRetriesPerRequest: null })
  for (let turns = 0; turns < MOST_TURNS; turns++) {
    const name = `lane-${turns}`
    const queue = new Queue(name, { connection })
    const worker: Worker = new Worker(name, () => gate.close(0), { connection })
    const ended = new Promise<void>((resolve) => worker.once('completed', () => resolve()))
    const read = async () => {
      await ended
      for (let turn = 0; turn < turns; turn++) await null
      return OPEN
    }
    // Only what the gate asks of it.
    const throttle = { read } satisfies Partial<Throttle> as unknown as Throttle
    const gate = new LaneGate(worker, throttle, DEFAULT_POLICY, new FactEmitter())
    await queue.add('first', {})
    await ended
    const second = new Promise<string>((resolve) => worker.once('active', ({ name }) => resolve(name)))
    await queue.add('second', {})
    const lost = new Promise<string>((resolve) => setTimeout(resolve, 3_000, `never taken, after ${turns} turns`))
    expect(await Promise.race([second, lost])).toBe('second')
    gate.end()
    await worker.close(true)
    await queue.close()
  }
})
