import { once } from 'node:events'
import { type AddressInfo, connect as connectTo, createServer, type Socket } from 'node:net'

/**
 * A way to a Redis on which bytes can be held up, as in the buffers of a network, and connections cut meanwhile. As the
 * name or the address of a Redis, it can be given to another one.
 */
export interface HeldUpRedis {
  readonly url: string
  /** New connections lead to that Redis; open ones stay where they are. */
  moveTo(redisUrl: string): void
  /** From now on, what open connections send is held up. */
  holdUp(): void
  /** Resolves once something is held up; then its connections are cut on the client's side. New ones are not held up. */
  cut(): Promise<void>
  /** What was held up arrives. */
  deliver(): void
  close(): Promise<void>
}

export async function startHeldUpRedis(redisUrl: string): Promise<HeldUpRedis> {
  let target = new URL(redisUrl)
  const links: { readonly client: Socket; readonly upstream: Socket; isHeld: boolean; readonly held: Buffer[] }[] = []
  const server = createServer((client) => {
    const upstream = connectTo(Number(target.port), target.hostname)
    const link = { client, upstream, isHeld: false, held: [] as Buffer[] }
    links.push(link)
    client.on('data', (bytes) => {
      if (!link.isHeld) upstream.write(bytes)
      else if (link.held.push(bytes) === 1) server.emit('held')
    })
    upstream.on('data', (bytes) => client.writable && client.write(bytes))
    client.on('close', () => link.isHeld || upstream.destroy())
    upstream.on('close', () => client.destroy())
    for (const socket of [client, upstream]) socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const heldLinks = () => links.filter(({ isHeld }) => isHeld)
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    moveTo(redisUrl) {
      target = new URL(redisUrl)
    },
    holdUp() {
      for (const link of links) link.isHeld = true
    },
    async cut() {
      if (heldLinks().every(({ held }) => held.length === 0)) await once(server, 'held')
      for (const { client } of heldLinks()) client.destroy()
    },
    deliver() {
      for (const { upstream, held } of heldLinks()) for (const bytes of held.splice(0)) upstream.write(bytes)
    },
    async close() {
      for (const { client, upstream } of links) {
        client.destroy()
        upstream.destroy()
      }
      server.close()
      await once(server, 'close')
    },
  }
}
