/** From the producer to the last PATCH that was applied. */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { Queue, Worker } from 'bullmq'
import { createProducer, type RunUpdateProducer } from '../../../src/producer/producer.js'
import type { Rate } from '../../../src/throttle/throttle.js'
import { createWorker, type RunUpdateWorker } from '../../../src/worker/worker.js'
import { median } from '../compare.js'
import { chunksOf, newRunIds, updateOf, updatesOf } from '../payload.js'
import type { Row } from '../row.js'
import { type Api, NO_LIMIT, type Stage, startApi } from '../stage.js'
import { API_KEY, patcher } from './sending.js'

const CONCURRENCY = 50
const LATENCY_MS = 5
const BATCH = 500
/** Of fewer, the hundredth part would be a handful, and whatever befell those. */
const FEWEST_LATENCIES = 5_000

interface Pipeline {
  readonly api: Api
  readonly producer: RunUpdateProducer
  readonly worker: RunUpdateWorker
  /** Until nothing is pending. */
  drained(): Promise<void>
}

async function withPipeline<Result>(
  { oursUrl, ours }: Stage,
  { windowMs, rate = NO_LIMIT }: { windowMs: number; rate?: Rate },
  use: (pipeline: Pipeline) => Promise<Result>,
): Promise<Result> {
  await ours.flushdb()
  const api = await startApi(LATENCY_MS)
  const producer = createProducer({ redis: oursUrl, coalesceWindowMs: windowMs })
  const worker = createWorker({
    redis: oursUrl,
    sift: { baseUrl: api.url, apiKey: API_KEY },
    concurrency: CONCURRENCY,
    rateLimit: rate,
    coalesceWindowMs: windowMs,
  })
  await worker.ready()
  try {
    return await use({
      api,
      producer,
      worker,
      drained: async () => {
        while ((await ours.zcard('{sift}:run-updates.pending')) > 0) await setTimeout(5)
      },
    })
  } finally {
    await producer.close()
    await worker.close()
    api.close()
  }
}

export const wholeWay: Row = {
  key: 'whole-way',
  measured: 'the whole way, 5,000 runs x 50 updates, no rate limit, window 1 s',
  against: 'a plain BullMQ worker sending one PATCH an update, until the last update is applied',
  note: 'One round, since the peer takes a minute or more. It sends all 250,000 PATCHes, in whatever order fifty at a time end.',
  target: 10,
  goal: 'at least',
  unit: 'x',
  isQuick: false,
  async measure(stage, { scale }) {
    const count = 5_000 * scale * 50
    const runIds = newRunIds(5_000 * scale)
    const batches = chunksOf(updatesOf(runIds, count), BATCH)
    const oursMs = await withPipeline(stage, { windowMs: 1_000 }, async ({ producer, drained }) => {
      const startedAt = performance.now()
      for (const batch of batches) await producer.enqueueMany(batch)
      await drained()
      return performance.now() - startedAt
    })
    const peerMs = await plainWay(stage, batches, count)
    const shown = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
    return { figure: peerMs / oursMs, ours: shown(oursMs), peer: shown(peerMs) }
  },
}

async function plainWay({ peerUrl, peer }: Stage, batches: ReturnType<typeof updatesOf>[], count: number) {
  await peer.flushdb()
  const api = await startApi(LATENCY_MS)
  const { patch, close } = patcher(api)
  const queue = new Queue('updates', { connection: { url: peerUrl } })
  const worker = new Worker('updates', (job) => patch(job.data), {
    connection: { url: peerUrl },
    concurrency: CONCURRENCY,
    removeOnComplete: { count: 1_000 },
  })
  let completed = 0
  worker.on('completed', () => {
    completed++
  })
  const startedAt = performance.now()
  for (const batch of batches) await queue.addBulk(batch.map((data) => ({ name: 'update', data })))
  while (completed < count) await once(worker, 'completed')
  const tookMs = performance.now() - startedAt
  await Promise.all([worker.close(), queue.close(), close()])
  api.close()
  return tookMs
}

export const patchCount: Row = {
  key: 'patch-count',
  measured: 'PATCHes sent',
  against: 'the lower bound: one per run and window with something new',
  note: 'A window is counted from the first update of a run that no earlier window holds.',
  target: 1.05,
  goal: 'at most',
  unit: 'x',
  isQuick: true,
  measure: (stage, { scale }) =>
    withPipeline(stage, { windowMs: 500 }, async ({ api, producer, drained }) => {
      const runIds = newRunIds(500)
      const openUntil = new Map<string, number>()
      let bound = 0
      const endsAt = performance.now() + 10_000 * scale
      while (performance.now() < endsAt) {
        const batch = Array.from({ length: 50 }, (_, index) =>
          updateOf(runIds[Math.floor(Math.random() * runIds.length)] ?? '', index),
        )
        await producer.enqueueMany(batch)
        const now = performance.now()
        for (const { run } of batch) {
          if ((openUntil.get(run.runId) ?? 0) > now) continue
          openUntil.set(run.runId, now + 500)
          bound++
        }
        await setTimeout(20)
      }
      await drained()
      const sent = await api.applied()
      return { figure: sent / bound, ours: `${sent} PATCHes`, peer: `${bound} windows` }
    }),
}

export const rateUse: Row = {
  key: 'rate',
  measured: 'a rate limit of 200/s with 5,000 pending runs',
  against: 'the limit itself',
  note: 'The permits are never closer than the limit allows; the most that arrived within one second may be a few more, as requests take unequal times on their way.',
  target: 0.95,
  goal: 'at least',
  unit: 'x',
  isQuick: true,
  measure: (stage, { scale }) =>
    withPipeline(stage, { windowMs: 0, rate: { max: 200, durationMs: 1_000 } }, async ({ api, producer }) => {
      const runIds = newRunIds(5_000)
      await producer.enqueueMany(updatesOf(runIds, runIds.length))
      await setTimeout(1_000)
      const [before, startedAt] = [await api.applied(), performance.now()]
      await setTimeout(15_000 * scale)
      const [after, endedAt] = [await api.applied(), performance.now()]
      const perSecond = ((after - before) / (endedAt - startedAt)) * 1000
      return {
        figure: perSecond / 200,
        ours: `${perSecond.toFixed(1)} PATCHes/s, at most ${await api.peak()} in a second`,
        peer: '200 PATCHes/s',
      }
    }),
}

export const latency: Row = {
  key: 'latency',
  measured: 'added latency: enqueue to PATCH, less the window, at 1,000 PATCHes a second, p99',
  against: 'the window itself (200 ms)',
  note: 'Until the simulator has the request: the way there is part of it.',
  target: 15,
  goal: 'at most',
  unit: 'ms',
  isQuick: true,
  measure: (stage, { scale }) =>
    withPipeline(stage, { windowMs: 200 }, async ({ api, producer, drained }) => {
      const startedAt = performance.now()
      const sentAt = new Map<string, number>()
      for (const [index, runId] of newRunIds(Math.max(10_000 * scale, FEWEST_LATENCIES)).entries()) {
        const dueMs = startedAt + index - performance.now()
        if (dueMs > 1) await setTimeout(dueMs)
        sentAt.set(runId, performance.timeOrigin + performance.now())
        void producer.enqueue(updateOf(runId, index))
      }
      await drained()
      const arrivals = await api.arrivals()
      // The first second warms up.
      const addedMs = [...sentAt].slice(1_000).map(([runId, atMs]) => (arrivals.get(runId) ?? Number.NaN) - atMs - 200)
      addedMs.sort((a, b) => a - b)
      const p99 = addedMs[Math.floor(addedMs.length * 0.99)] ?? Number.NaN
      return { figure: p99, ours: `p50 ${median(addedMs).toFixed(1)} ms`, peer: '0 ms' }
    }),
}
