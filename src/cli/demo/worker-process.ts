/**
 * One worker of the demo, a process of its own. Its parent sends the options, and is sent facts. It ends when the
 * channel to its parent closes: so `disconnect` is the order to stop, and a parent that was killed leaves none behind.
 */
import { createWorker, type WorkerOptions } from '../../worker/worker.js'

/** What a worker tells its parent. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'applied'; readonly sinceArrivalMs: readonly number[] }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'crashed'; readonly message: string }

/** What crosses a channel between processes: text and numbers only. */
export type WorkerOrders = Omit<WorkerOptions, 'redis' | 'sift'> & {
  readonly redis: string
  readonly sift: { readonly baseUrl: string; readonly apiKey: string }
}

const REQUESTS_MAY_TAKE_MS = 2_000
/** Redis may be gone as well: then an orderly end would wait for it for ever. */
const ENDING_MAY_TAKE_MS = 5_000

// Ctrl-C in a terminal reaches all processes at once: this one waits for its parent's word.
process.on('SIGINT', () => {})
process.once('message', (orders) => run(orders as WorkerOrders))

function run(orders: WorkerOrders): void {
  const worker = createWorker(orders)
  process.once('disconnect', () => {
    setTimeout(() => process.exit(1), ENDING_MAY_TAKE_MS).unref()
    void worker.close({ timeoutMs: REQUESTS_MAY_TAKE_MS })
  })
  worker.facts.on('patch:applied', ({ sinceArrivalMs }) => tell({ kind: 'applied', sinceArrivalMs }))
  worker.facts.on('request:failed', ({ reason }) => tell({ kind: 'failed', reason }))
  worker.facts.on('job:crashed', ({ error }) => tell({ kind: 'crashed', message: error.message }))
  worker.ready().then(
    () => tell({ kind: 'ready' }),
    (error: Error) => tell({ kind: 'crashed', message: error.message }),
  )
}

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message)
}
