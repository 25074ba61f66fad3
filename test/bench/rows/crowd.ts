/** Cost as work grows: the same work beside few pending runs and beside very many, both ours, in one Redis. */
import { createProducer } from '../../../src/producer/producer.js'
import { laneOf } from '../../../src/redis/lane.js'
import { createWorker } from '../../../src/worker/worker.js'
import { type Comparison, compare, type Side } from '../compare.js'
import { chunksOf, newRunIds, updatesOf } from '../payload.js'
import type { Finding, Row } from '../row.js'
import { type Api, NO_LIMIT, type Stage, startApi } from '../stage.js'
import { API_KEY } from './sending.js'

export const FEW = 1_000
const BATCH = 500
const ENQUEUED = 10_000
const FLUSHED = 5_000

/** One of the two lanes. */
interface Crowd {
  readonly redis: Stage['ours']
  readonly url: string
  /** How many runs are pending beside those that the work is about. */
  readonly runs: number
}

/** The many, and the few; in databases of their own. */
function crowdsOf({ ours, oursUrl, peer, peerUrl }: Stage, many: number): [many: Crowd, few: Crowd] {
  return [
    { redis: ours, url: oursUrl, runs: many },
    { redis: peer, url: peerUrl, runs: FEW },
  ]
}

/** Adds runs until so many are pending. Small batches of ids: a million of updates at once would crowd this process. */
export async function fill(url: string, redis: Stage['ours'], runs: number, coalesceWindowMs: number): Promise<void> {
  const producer = createProducer({ redis: url, coalesceWindowMs })
  try {
    for (let missing = runs - (await redis.zcard(laneOf().index)); missing > 0; missing -= 10_000) {
      const count = Math.min(missing, 10_000)
      await producer.enqueueMany(updatesOf(newRunIds(count), count))
    }
  } finally {
    await producer.close()
  }
}

function toFinding({ ratio, spread, ours, peer }: Comparison, unit: string): Finding {
  const shown = (rate: number): string => `${Math.round(rate).toLocaleString('en-US')} ${unit}`
  return { figure: ratio, spread, ours: shown(ours), peer: shown(peer) }
}

const shownRuns = (runs: number): string => runs.toLocaleString('en-US')

export function enqueueInCrowd(runs: number): Row {
  return {
    key: 'crowd-enqueue',
    measured: `\`enqueueMany\` of 500, cold, with ${shownRuns(runs)} runs pending`,
    against: `with ${shownRuns(FEW)} runs pending`,
    note: 'All flush jobs are delayed by an hour. The many become more with each round; the few start anew.',
    target: 0.8,
    goal: 'at least',
    unit: 'x',
    isQuick: false,
    async measure(stage, { rounds }) {
      const windowMs = 3_600_000
      const side = ({ url, redis, runs: crowd }: Crowd): Side => {
        let batches: ReturnType<typeof updatesOf>[] = []
        const producer = createProducer({ redis: url, coalesceWindowMs: windowMs })
        producers.push(producer)
        return {
          async prepare() {
            if (crowd === FEW) await redis.flushdb()
            await fill(url, redis, crowd, windowMs)
            batches = chunksOf(updatesOf(newRunIds(ENQUEUED), ENQUEUED), BATCH)
          },
          async work() {
            for (const batch of batches) await producer.enqueueMany(batch)
            return ENQUEUED
          },
        }
      }
      const producers: ReturnType<typeof createProducer>[] = []
      await Promise.all([stage.ours.flushdb(), stage.peer.flushdb()])
      const [many, few] = crowdsOf(stage, runs)
      try {
        return toFinding(await compare(rounds, side(many), side(few)), 'updates/s')
      } finally {
        await Promise.all(producers.map((producer) => producer.close()))
      }
    },
  }
}

/** A worker from its start until it has sent so many. */
function flushSide({ url, redis, runs }: Crowd, api: Api): Side {
  return {
    prepare: () => fill(url, redis, runs + FLUSHED, 0),
    async work() {
      const worker = createWorker({
        redis: url,
        sift: { baseUrl: api.url, apiKey: API_KEY },
        concurrency: 50,
        rateLimit: NO_LIMIT,
        coalesceWindowMs: 0,
      })
      let applied = 0
      await new Promise<void>((resolve) => {
        worker.facts.on('patch:applied', () => {
          applied++
          if (applied === FLUSHED) resolve()
        })
      })
      await worker.close()
      return applied
    },
  }
}

export function flushInCrowd(runs: number): Row {
  return {
    key: 'crowd-flush',
    measured: `sending ${shownRuns(FLUSHED)} runs of a backlog that still has ${shownRuns(runs)} after it, simulator at 5 ms, concurrency 50`,
    against: `of one that still has ${shownRuns(FEW)}`,
    note: 'All runs are due. From the worker’s start to its end.',
    target: 0.8,
    goal: 'at least',
    unit: 'x',
    isQuick: false,
    async measure(stage, { rounds }) {
      await Promise.all([stage.ours.flushdb(), stage.peer.flushdb()])
      const [many, few] = crowdsOf(stage, runs)
      const api = await startApi(5)
      try {
        return toFinding(await compare(rounds, flushSide(many, api), flushSide(few, api)), 'PATCHes/s')
      } finally {
        api.close()
      }
    },
  }
}
