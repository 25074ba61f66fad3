/** Taking updates in: the producer against BullMQ's queue, on the same payloads, with the same batches in flight. */
import { type JobsOptions, Queue } from 'bullmq'
import { createProducer, type RunUpdateProducer } from '../../../src/producer/producer.js'
import type { RunUpdate } from '../../../src/run/run-update.js'
import { type Comparison, compare, type Side } from '../compare.js'
import { chunksOf, eachAtOnce, newRunIds, updateOf, updatesOf } from '../payload.js'
import type { Effort, Finding, Row } from '../row.js'
import type { Stage } from '../stage.js'

const HOT_RUNS = 1_000
const BATCH = 500
const IN_FLIGHT = 100
/** Nothing is sent meanwhile: these rows are about taking in. */
const WINDOW_MS = 3_600_000

const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en-US')} updates/s`

function toFinding({ ratio, spread, ours, peer }: Comparison): Finding {
  return { figure: ratio, spread, ours: perSecond(ours), peer: perSecond(peer) }
}

/** Runs a producer and a plain BullMQ queue against each other. */
async function race(
  { oursUrl, peerUrl, ours, peer }: Stage,
  { rounds }: Effort,
  sides: (producer: RunUpdateProducer, queue: Queue) => { ours: Side; peer: Side },
): Promise<Finding> {
  await Promise.all([ours.flushdb(), peer.flushdb()])
  const producer = createProducer({ redis: oursUrl, coalesceWindowMs: WINDOW_MS })
  const queue = new Queue('updates', { connection: { url: peerUrl } })
  try {
    const pair = sides(producer, queue)
    return toFinding(await compare(rounds, pair.ours, pair.peer))
  } finally {
    await Promise.all([producer.close(), queue.close()])
  }
}

const asJob = (data: RunUpdate) => ({ name: 'update', data })

export const hotBatch: Row = {
  key: 'hot-batch',
  measured: '`enqueueMany` of 500, hot (1,000 runs)',
  against: 'BullMQ `queue.addBulk` of 500',
  note: 'The peer stores each update as a job of its own: it neither merges nor checks them.',
  target: 4.5,
  goal: 'at least',
  unit: 'x',
  isQuick: true,
  measure: (stage, effort) =>
    race(stage, effort, (producer, queue) => {
      const runIds = newRunIds(HOT_RUNS)
      const count = 50_000 * effort.scale
      const batches = () => chunksOf(updatesOf(runIds, count), BATCH)
      let ready: RunUpdate[][] = []
      return {
        ours: {
          prepare: async () => {
            ready = batches()
          },
          work: async () => {
            for (const batch of ready) await producer.enqueueMany(batch)
            return count
          },
        },
        peer: {
          prepare: async () => {
            ready = batches()
            await stage.peer.flushdb()
          },
          work: async () => {
            for (const batch of ready) await queue.addBulk(batch.map(asJob))
            return count
          },
        },
      }
    }),
}

export const coldBatch: Row = {
  key: 'cold-batch',
  measured: '`enqueueMany`, cold (every update another run)',
  against: 'BullMQ `queue.addBulk`',
  note: 'Each of our updates opens a pending update and adds its flush job, which is what the peer does alone.',
  target: 0.65,
  goal: 'at least',
  unit: 'x',
  isQuick: true,
  measure: (stage, effort) =>
    race(stage, effort, (producer, queue) => {
      const count = 25_000 * effort.scale
      const batches = () => chunksOf(updatesOf(newRunIds(count), count), BATCH)
      let ready: RunUpdate[][] = []
      return {
        ours: {
          prepare: async () => {
            ready = batches()
            await stage.ours.flushdb()
          },
          work: async () => {
            for (const batch of ready) await producer.enqueueMany(batch)
            return count
          },
        },
        peer: {
          prepare: async () => {
            ready = batches()
            await stage.peer.flushdb()
          },
          work: async () => {
            for (const batch of ready) await queue.addBulk(batch.map(asJob))
            return count
          },
        },
      }
    }),
}

/** `enqueue`, one by one, against `queue.add` with these options. */
function singles(stage: Stage, effort: Effort, optionsOf: (update: RunUpdate) => JobsOptions): Promise<Finding> {
  return race(stage, effort, (producer, queue) => {
    const runIds = newRunIds(HOT_RUNS)
    const count = 25_000 * effort.scale
    let ready: RunUpdate[] = []
    const prepare = async () => {
      ready = updatesOf(runIds, count)
    }
    return {
      ours: {
        prepare,
        work: async () => {
          await eachAtOnce(ready, IN_FLIGHT, (update) => producer.enqueue(update))
          return count
        },
      },
      peer: {
        prepare: async () => {
          await prepare()
          await stage.peer.flushdb()
        },
        work: async () => {
          await eachAtOnce(ready, IN_FLIGHT, (update) => queue.add('update', update, optionsOf(update)))
          return count
        },
      },
    }
  })
}

export const single: Row = {
  key: 'single',
  measured: '`enqueue`, 100 in flight, hot',
  against: 'BullMQ `queue.add`, 100 in flight',
  note: 'As above: no merging, no checks.',
  target: 1.8,
  goal: 'at least',
  unit: 'x',
  isQuick: true,
  measure: (stage, effort) => singles(stage, effort, () => ({})),
}

export const singleDebounced: Row = {
  key: 'single-debounced',
  measured: 'the same',
  against: 'BullMQ `queue.add` with debounce deduplication',
  note: 'The peer keeps one job a run, as we do, and loses every field that only an earlier update held.',
  target: 3.3,
  goal: 'at least',
  unit: 'x',
  isQuick: true,
  measure: (stage, effort) =>
    singles(stage, effort, ({ run }) => ({
      delay: WINDOW_MS,
      deduplication: { id: run.runId, ttl: WINDOW_MS, extend: true, replace: true },
    })),
}

/** Bytes that Redis gives to what a side stores, a run. */
async function bytesPerRun(redis: Stage['ours'], runs: number, store: () => Promise<unknown>): Promise<number> {
  const used = async () => Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
  const before = await used()
  await store()
  return ((await used()) - before) / runs
}

function memory(key: string, measured: string, updatesPerRun: number, target: number): Row {
  return {
    key,
    measured,
    against: 'the same updates as plain delayed BullMQ jobs',
    note: 'Both with their own bookkeeping: our index and flush job, the peer’s delayed set.',
    target,
    goal: 'at most',
    unit: 'x',
    isQuick: true,
    async measure({ oursUrl, peerUrl, ours, peer }, { scale }) {
      await Promise.all([ours.flushdb('SYNC'), peer.flushdb('SYNC')])
      const producer = createProducer({ redis: oursUrl, coalesceWindowMs: WINDOW_MS })
      const queue = new Queue('updates', { connection: { url: peerUrl } })
      try {
        // Connections and scripts are there before it counts.
        await producer.enqueue(updateOf('warm-up', 0))
        await queue.add('update', updateOf('warm-up', 0), { delay: WINDOW_MS })
        const runIds = newRunIds(Math.round((20_000 * scale) / updatesPerRun))
        const batches = chunksOf(updatesOf(runIds, runIds.length * updatesPerRun), BATCH)
        const oursBytes = await bytesPerRun(ours, runIds.length, async () => {
          for (const batch of batches) await producer.enqueueMany(batch)
        })
        const peerBytes = await bytesPerRun(peer, runIds.length, async () => {
          for (const batch of batches) {
            await queue.addBulk(batch.map((update) => ({ ...asJob(update), opts: { delay: WINDOW_MS } })))
          }
        })
        const shown = (bytes: number): string => `${Math.round(bytes).toLocaleString('en-US')} bytes a run`
        return { figure: oursBytes / peerBytes, ours: shown(oursBytes), peer: shown(peerBytes) }
      } finally {
        await Promise.all([producer.close(), queue.close()])
      }
    },
  }
}

export const memoryOnce = memory('memory-1', 'Redis memory per pending run, one update of three fields', 1, 1.7)
export const memoryFifty = memory('memory-50', 'the same, fifty updates of each run', 50, 0.05)
