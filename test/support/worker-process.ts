import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { WorkerOptions } from '../../src/worker/worker.js'

const SCRIPT = fileURLToPath(new URL('./worker-process.mjs', import.meta.url))

/** A worker in a process of its own, running what was built. */
export interface WorkerProcess {
  readonly pid: number
  /** SIGSTOP: its connections stay open, and nothing of it runs. */
  freeze(): void
  thaw(): void
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves when it has ended by itself. */
  close(): Promise<void>
}

/** Options that cross a channel between processes: a key that may change is named by its file. */
export type WorkerProcessOptions = Omit<WorkerOptions, 'redis' | 'sift'> & {
  readonly redis: string
  readonly sift: { readonly baseUrl: string; readonly apiKey: string | { readonly file: string } }
}

export async function startWorkerProcess(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const child = fork(SCRIPT, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const { pid } = child
  if (pid === undefined) throw new Error('the worker process did not start')
  const exited = once(child, 'exit')
  await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => {
      throw new Error(`the worker process ended with ${code} before it was ready`)
    }),
  ])
  const end = async (signal: NodeJS.Signals) => {
    if (isRunning(child)) child.kill(signal)
    await exited
  }
  return {
    pid,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    close: async () => {
      if (isRunning(child)) child.kill('SIGCONT')
      await end('SIGTERM')
    },
  }
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null
