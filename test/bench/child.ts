import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * A part of the bench in a process of its own, so that it shares no event loop with what is measured. It ends when the
 * channel to us closes, so none outlives us.
 */
export interface Child<Told> {
  /** What it tells of itself at this moment. */
  ask(): Promise<Told>
  close(): Promise<void>
}

/** Starts a module that calls `answerParent`, and returns once it is ready. */
export async function startChild<Orders, Told>(module: URL, orders: Orders): Promise<Child<Told>> {
  const child = fork(fileURLToPath(module), [JSON.stringify(orders)])
  const exited = once(child, 'exit')
  const told = async (): Promise<Told> => {
    const end = exited.then(() => Promise.reject(new Error(`${module.pathname} has ended`)))
    const [message] = await Promise.race([once(child, 'message'), end])
    return message
  }
  await told()
  return {
    async ask() {
      const answer = told()
      child.send('tell')
      return await answer
    },
    async close() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

/** Of the child: what its parent has ordered. */
export function orders<Orders>(): Orders {
  return JSON.parse(process.argv[2] ?? '')
}

/** Of the child, once it is ready. */
export function answerParent(tell: () => unknown): void {
  process.on('message', () => void process.send?.(tell()))
  process.on('disconnect', () => process.exit())
  process.send?.('ready')
}
