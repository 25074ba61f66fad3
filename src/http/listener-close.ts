/**
 * Closing without a reset. The kernel resets the connections that a listener has not accepted when it closes, and whoever
 * is answered then with `connection: close` makes a new one for the next request. So for a moment before it closes nobody
 * is answered: who waits for an answer makes no connection, and what was made is accepted. Then all of them are answered.
 */
import type { Server } from 'node:http'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

/** Long enough for the answers that are on their way, and for the next requests of who gets them, on a busy machine too. */
const HOLD_MS = 400

/** To be called before other hooks are added. */
export function closeWithoutReset(server: FastifyInstance): void {
  let isClosed: Promise<void> | undefined
  server.addHook('onRequest', (_request, _reply, done) => {
    if (isClosed === undefined) done()
    else void isClosed.then(() => done())
  })
  server.addHook('preClose', async () => {
    let release = () => {}
    isClosed = new Promise((resolve) => {
      release = resolve
    })
    await delay(HOLD_MS)
    // Right after connections were accepted; fastify closes the listener in this very turn.
    await nextTurn()
    void untilClosed(server.server).then(release)
  })
}

async function untilClosed(server: Server): Promise<void> {
  while (server.listening) await nextTurn()
}
