import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { WorkerMessage, WorkerOrders } from './worker-process.js'

export interface WorkerFleet {
  /** Rejects when a worker ends that nobody has closed. */
  readonly lost: Promise<never>
  /** Lets requests in flight finish; resolves once every process is gone. */
  close(): Promise<void>
}

const CLOSE_TIMEOUT_MS = 6_000

/**
 * Starts worker processes and returns once all of them take jobs.
 * @throws Error where one can't start
 */
export async function startWorkers(
  count: number,
  orders: WorkerOrders,
  onMessage: (message: WorkerMessage) => void,
): Promise<WorkerFleet> {
  const children = Array.from({ length: count }, () => startWorker(orders, onMessage))
  const lost = Promise.race(children.map(({ child }) => failWhenGone(child)))
  // Heard of by whoever waits for it; after `close` nobody does.
  lost.catch(() => {})
  const close = async () => {
    await Promise.all(children.map(({ child }) => end(child)))
  }
  try {
    await Promise.race([Promise.all(children.map(({ ready }) => ready)), lost])
  } catch (error) {
    await close()
    throw error
  }
  return { lost, close }
}

function startWorker(
  orders: WorkerOrders,
  onMessage: (message: WorkerMessage) => void,
): { child: ChildProcess; ready: Promise<void> } {
  // The orders go through the channel: a command line, with a password of Redis in it, could be read by others.
  const child = fork(new URL('./worker-process.js', import.meta.url), { execArgv: [] })
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') resolve()
      // Too late for a worker that is ready, and then the tally's affair.
      if (message.kind === 'crashed') reject(new Error(`a worker could not start: ${message.message}`))
      onMessage(message)
    })
  })
  child.send(orders)
  return { child, ready }
}

async function failWhenGone(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, 'exit')
  throw new Error(`worker process ${child.pid} has ended (${signal ?? `exit code ${code}`})`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  if (child.connected) child.disconnect()
  const deadline = setTimeout(() => child.kill('SIGKILL'), CLOSE_TIMEOUT_MS)
  await exited
  clearTimeout(deadline)
}
