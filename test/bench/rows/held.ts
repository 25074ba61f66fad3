/** A lane that an operator holds: what a worker costs that can do nothing, however much is pending. */
import { setTimeout } from 'node:timers/promises'
import { DEFAULT_POLICY } from '../../../src/policy.js'
import { laneOf } from '../../../src/redis/lane.js'
import { Throttle } from '../../../src/throttle/throttle.js'
import { startChild } from '../child.js'
import { median } from '../compare.js'
import type { Finding, Row } from '../row.js'
import type { Stage } from '../stage.js'
import type { WorkerOrders, WorkerTold } from '../worker-process.js'
import { FEW, fill } from './crowd.js'
import { API_KEY } from './sending.js'

const WORKER = new URL('../worker-process.js', import.meta.url)
const MANY = 100_000
/** An hour passes in a minute: what a waiting worker does by the clock, it does so much more often. */
const HASTE = 60
const ROUNDS = 6
const ROUND_MS = 3_600_000 / HASTE / ROUNDS
/** Until the worker's jobs have met the held lane and are put back. */
const SETTLE_MS = 3_000

const HASTY = {
  laneLookMs: DEFAULT_POLICY.laneLookMs / HASTE,
  sweepEveryMs: DEFAULT_POLICY.sweepEveryMs / HASTE,
  stalledIntervalMs: DEFAULT_POLICY.stalledIntervalMs / HASTE,
}

interface Cost {
  readonly cpuMs: number
  readonly redisMs: number
  readonly commands: number
}

async function costOfWaiting(url: string, redis: Stage['ours'], runs: number): Promise<Cost> {
  await fill(url, redis, runs, 0)
  await new Throttle(redis, laneOf(), DEFAULT_POLICY).hold('measured')
  const worker = await startChild<WorkerOrders, WorkerTold>(WORKER, {
    redis: url,
    // Nobody listens there, and nobody is asked.
    sift: { baseUrl: 'http://127.0.0.1:9', apiKey: API_KEY },
    coalesceWindowMs: 0,
    ...HASTY,
  })
  try {
    await setTimeout(SETTLE_MS)
    const [before, redisBefore] = [await worker.ask(), await redisCost(redis)]
    await setTimeout(ROUND_MS)
    const [after, redisAfter] = [await worker.ask(), await redisCost(redis)]
    return {
      cpuMs: after.cpuMs - before.cpuMs,
      redisMs: redisAfter.ms - redisBefore.ms,
      commands: redisAfter.calls - redisBefore.calls,
    }
  } finally {
    await worker.close()
  }
}

/** All commands that Redis has run since its start, those inside scripts among them. */
async function redisCost(redis: Stage['ours']): Promise<{ calls: number; ms: number }> {
  const lines = [...(await redis.info('commandstats')).matchAll(/^cmdstat_(\S+):calls=(\d+),usec=(\d+)/gm)]
  const total = (place: 2 | 3): number => lines.reduce((sum, line) => sum + Number(line[place]), 0)
  return { calls: total(2), ms: total(3) / 1_000 }
}

/** Both lanes by turns, each with a worker of its own. */
async function costs({ ours, oursUrl, peer, peerUrl }: Stage): Promise<{ many: Cost[]; few: Cost[] }> {
  await Promise.all([ours.flushdb(), peer.flushdb()])
  const found: { many: Cost[]; few: Cost[] } = { many: [], few: [] }
  for (let round = 0; round < ROUNDS; round++) {
    found.many.push(await costOfWaiting(oursUrl, ours, MANY))
    found.few.push(await costOfWaiting(peerUrl, peer, FEW))
  }
  return found
}

/** The three rows are of one measurement, since it takes minutes. */
export function heldRows(): Row[] {
  let found: ReturnType<typeof costs> | undefined
  const row = (key: keyof Cost, measured: string, unit: string): Row => ({
    key: `held-${key}`,
    measured: `a lane held for an hour (in a minute), ${MANY.toLocaleString('en-US')} runs pending: ${measured}`,
    against: `${FEW.toLocaleString('en-US')} runs pending`,
    note: `Every wait of the worker is a ${HASTE}th of what it is, but for BullMQ’s look at a queue where nothing comes; the hour is the sum of ${ROUNDS} parts.`,
    target: 1.1,
    goal: 'at most',
    unit: 'x',
    isQuick: false,
    async measure(stage): Promise<Finding> {
      found ??= costs(stage)
      const { many, few } = await found
      const ratios = many.map((cost, round) => cost[key] / (few[round]?.[key] ?? Number.NaN))
      const total = (all: readonly Cost[]): string =>
        `${all.reduce((sum, cost) => sum + cost[key], 0).toFixed(0)} ${unit}`
      return {
        figure: median(ratios),
        spread: [Math.min(...ratios), Math.max(...ratios)],
        ours: total(many),
        peer: total(few),
      }
    },
  })
  return [
    row('cpuMs', 'CPU of an idle worker', 'ms'),
    row('commands', 'commands to Redis', 'commands'),
    row('redisMs', 'time of Redis', 'ms'),
  ]
}
