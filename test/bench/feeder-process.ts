/** A producer in a process of its own that keeps a lane full: as soon as fewer are pending, more come. */
import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createProducer } from '../../src/producer/producer.js'
import { laneOf } from '../../src/redis/lane.js'
import { answerParent, orders } from './child.js'
import { chunksOf, newRunIds, updatesOf } from './payload.js'

export interface FeederOrders {
  readonly redis: string
  /** All that there are; each comes up again and again, so that neither Redis nor the API grows. */
  readonly runs: number
  /** How many are kept pending. */
  readonly pending: number
}

/** The fewest that were pending since it was last asked: above 0, the worker never ran out of work. */
export type FeederTold = number

const BATCH = 500

const { redis: url, runs, pending } = orders<FeederOrders>()
const producer = createProducer({ redis: url, coalesceWindowMs: 0 })
const redis = new Redis(url)
const { index } = laneOf()
const runIds = newRunIds(runs)
let fewest = Number.POSITIVE_INFINITY
let isFull = false
for (;;) {
  for (const batch of chunksOf(updatesOf(runIds, runs), BATCH)) {
    await producer.enqueueMany(batch)
    for (let found = await look(); found >= pending; found = await look()) {
      if (!isFull) start()
      await setTimeout(5)
    }
  }
}

async function look(): Promise<number> {
  const found = await redis.zcard(index)
  fewest = Math.min(fewest, found)
  return found
}

/** The lane is full for the first time. */
function start(): void {
  isFull = true
  tell()
  answerParent(tell)
}

function tell(): FeederTold {
  const told = fewest
  fewest = Number.POSITIVE_INFINITY
  return told
}
