import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ProducerOptions } from '../../src/producer/producer.js'
import type { RunUpdate } from '../../src/run/run-update.js'
import type { Acknowledgement } from './ledger.js'

const SCRIPT = fileURLToPath(new URL('./producer-process.mjs', import.meta.url))

export interface ProducerProcessOptions extends ProducerOptions {
  /** Kill it at its first merge, before the flush jobs are added. */
  readonly diesAfterMerge?: boolean
}

/** A producer in a process of its own, running what was built. */
export interface ProducerProcess {
  /** What it was told of the first so many updates; none where it died meanwhile. One call at a time. */
  enqueueMany(updates: readonly RunUpdate[]): Promise<readonly Acknowledgement[]>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

export async function startProducerProcess(options: ProducerProcessOptions): Promise<ProducerProcess> {
  const child = fork(SCRIPT, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  let isGone = false
  void exited.then(() => {
    isGone = true
  })
  await once(child, 'message')
  return {
    async enqueueMany(updates) {
      if (isGone) return []
      const answered = once(child, 'message').then(([results]) => results as Acknowledgement[])
      // To a process that has just died nothing can be sent, which its end tells as well.
      child.send([...updates], () => {})
      return await Promise.race([answered, exited.then(() => [])])
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
