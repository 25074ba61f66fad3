/** Sending what is pending: the worker against a plain one, and against nothing but HTTP. */
import { once } from 'node:events'
import { Queue, Worker } from 'bullmq'
import { Pool } from 'undici'
import { createProducer } from '../../../src/producer/producer.js'
import type { RunUpdate } from '../../../src/run/run-update.js'
import { createWorker } from '../../../src/worker/worker.js'
import { type Comparison, compare, type Side } from '../compare.js'
import { chunksOf, eachAtOnce, newRunIds, updatesOf } from '../payload.js'
import type { Effort, Finding, Row } from '../row.js'
import { type Api, NO_LIMIT, type Stage, startApi } from '../stage.js'

const CONCURRENCY = 50
const LATENCY_MS = 5
const BATCH = 500
const LEAST_COUNT = 4_000
export const API_KEY = 'a-key'

const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en-US')} PATCHes/s`

/** A PATCH as a service without this package would send it: the update's own fields, nothing checked. */
export function patcher({ url }: Api): { patch(update: RunUpdate): Promise<void>; close(): Promise<void> } {
  const pool = new Pool(url, { connections: CONCURRENCY })
  return {
    async patch({ run }) {
      const { runId: _runId, ...fields } = run
      const { statusCode, body } = await pool.request({
        method: 'PATCH',
        path: '/api/v2/runs',
        headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ run, updateMask: Object.keys(fields).join(',') }),
      })
      await body.dump()
      if (statusCode !== 200) throw new Error(`the simulator answered ${statusCode}`)
    },
    close: () => pool.close(),
  }
}

/** Ours: all runs are pending and their jobs wait; from the worker's start until the last PATCH is applied. */
function ourSide({ oursUrl, ours }: Stage, api: Api, count: number): Side {
  return {
    async prepare() {
      await ours.flushdb()
      const producer = createProducer({ redis: oursUrl, coalesceWindowMs: 0 })
      for (const batch of chunksOf(updatesOf(newRunIds(count), count), BATCH)) await producer.enqueueMany(batch)
      await producer.close()
    },
    async work() {
      const worker = createWorker({
        redis: oursUrl,
        sift: { baseUrl: api.url, apiKey: API_KEY },
        concurrency: CONCURRENCY,
        rateLimit: NO_LIMIT,
        coalesceWindowMs: 0,
      })
      let applied = 0
      await new Promise<void>((resolve) => {
        worker.facts.on('patch:applied', () => {
          applied++
          if (applied === count) resolve()
        })
      })
      await worker.close()
      return count
    },
  }
}

function plainWorkerSide({ peerUrl, peer }: Stage, api: Api, count: number): Side {
  return {
    async prepare() {
      await peer.flushdb()
      const queue = new Queue('updates', { connection: { url: peerUrl } })
      for (const batch of chunksOf(updatesOf(newRunIds(count), count), BATCH)) {
        await queue.addBulk(batch.map((data) => ({ name: 'update', data })))
      }
      await queue.close()
    },
    async work() {
      const { patch, close } = patcher(api)
      const worker = new Worker<RunUpdate>('updates', (job) => patch(job.data), {
        connection: { url: peerUrl },
        concurrency: CONCURRENCY,
        removeOnComplete: { count: 1_000 },
      })
      let completed = 0
      worker.on('completed', () => {
        completed++
        if (completed === count) worker.emit('drained')
      })
      while (completed < count) await once(worker, 'drained')
      await worker.close()
      await close()
      return count
    },
  }
}

function bareLoopSide(api: Api, count: number): Side {
  let updates: RunUpdate[] = []
  return {
    async prepare() {
      updates = updatesOf(newRunIds(count), count)
    },
    async work() {
      const { patch, close } = patcher(api)
      await eachAtOnce(updates, CONCURRENCY, patch)
      await close()
      return count
    },
  }
}

async function race(
  stage: Stage,
  { rounds, scale }: Effort,
  peerOf: (stage: Stage, api: Api, count: number) => Side,
): Promise<Finding> {
  const api = await startApi(LATENCY_MS)
  // Never so few that a worker's start and warm-up are what is measured.
  const count = Math.max(6_000 * scale, LEAST_COUNT)
  try {
    const { ratio, spread, ours, peer }: Comparison = await compare(
      rounds,
      ourSide(stage, api, count),
      peerOf(stage, api, count),
    )
    return { figure: ratio, spread, ours: perSecond(ours), peer: perSecond(peer) }
  } finally {
    api.close()
  }
}

export const againstPlainWorker: Row = {
  key: 'sending',
  measured: 'sending: distinct runs, simulator at 5 ms, concurrency 50',
  against: 'a plain BullMQ worker that PATCHes each job',
  note: 'The peer has no lease, no shared rate, no memory of what was sent, no body in the dashboard.',
  target: 0.7,
  goal: 'at least',
  unit: 'x',
  isQuick: true,
  measure: (stage, effort) => race(stage, effort, plainWorkerSide),
}

export const againstBareLoop: Row = {
  key: 'sending-bare',
  measured: 'the same',
  against: 'a bare undici loop, same concurrency',
  note: 'The peer has no queue at all: what HTTP alone takes.',
  target: 0.5,
  goal: 'at least',
  unit: 'x',
  isQuick: true,
  measure: (stage, effort) => race(stage, effort, (_stage, api, count) => bareLoopSide(api, count)),
}
