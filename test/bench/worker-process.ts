/** A worker in a process of its own, which tells what it costs. */
import { createWorker, type WorkerOptions } from '../../src/worker/worker.js'
import { answerParent, orders } from './child.js'

export type WorkerOrders = Omit<WorkerOptions, 'redis' | 'sift'> & {
  readonly redis: string
  readonly sift: { readonly baseUrl: string; readonly apiKey: string }
}

/** What the worker's process tells of itself; all but the bytes since its start. */
export interface WorkerTold {
  readonly cpuMs: number
  readonly rssBytes: number
  readonly heapBytes: number
  readonly applied: number
}

const worker = createWorker(orders<WorkerOrders>())
let applied = 0
worker.facts.on('patch:applied', () => {
  applied++
})
await worker.ready()
answerParent((): WorkerTold => {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return { cpuMs: (user + system) / 1_000, rssBytes: rss, heapBytes: heapUsed, applied }
})
