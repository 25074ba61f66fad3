/** Taking updates in over HTTP, against the producer in the caller's own process. */
import { Readable } from 'node:stream'
import { Client } from 'undici'
import { createProducer } from '../../../src/producer/producer.js'
import type { RunUpdate } from '../../../src/run/run-update.js'
import { type Child, startChild } from '../child.js'
import { compare, type Side } from '../compare.js'
import { chunksOf, newRunIds, updatesOf } from '../payload.js'
import type { Row } from '../row.js'
import type { ServerOrders } from '../server-process.js'

const SERVER = new URL('../server-process.js', import.meta.url)
const HOT_RUNS = 1_000
const BATCH = 500
/** Nothing is sent meanwhile. */
const WINDOW_MS = 3_600_000

const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en-US')} updates/s`

/** One request of so many lines, as a feed sends them; until the last line of the answer. */
function linesSide(client: Client, next: () => RunUpdate[]): Side {
  let pieces: Buffer[] = []
  let count = 0
  return {
    async prepare() {
      const updates = next()
      count = updates.length
      pieces = chunksOf(updates, BATCH).map((batch) =>
        Buffer.from(batch.map((update) => `${JSON.stringify(update)}\n`).join('')),
      )
    },
    async work() {
      const { statusCode, body } = await client.request({
        method: 'POST',
        path: '/v1/updates',
        headers: { 'content-type': 'application/x-ndjson' },
        body: Readable.from(pieces),
      })
      let end = ''
      for await (const chunk of body as AsyncIterable<Buffer>) end = (end + chunk.toString('latin1')).slice(-500)
      if (statusCode !== 202 || !end.includes(`"accepted":${count},`)) throw new Error(`${statusCode}: ${end}`)
      return count
    },
  }
}

export const ndjson: Row = {
  key: 'http',
  measured: 'HTTP intake: NDJSON, one request, hot (1,000 runs)',
  against: '`enqueueMany` of 500, in process',
  note: 'The server is a process of its own; each line is answered by a line, which the client reads. The lines are text before the clock starts, and the peer’s updates objects: it parses no JSON, and crosses no socket but that of Redis.',
  target: 0.6,
  goal: 'at least',
  unit: 'x',
  isQuick: true,
  async measure({ oursUrl, ours }, { rounds, scale }) {
    await ours.flushdb()
    const server: Child<string> = await startChild<ServerOrders, string>(SERVER, {
      redis: oursUrl,
      coalesceWindowMs: WINDOW_MS,
    })
    const client = new Client(await server.ask())
    const producer = createProducer({ redis: oursUrl, coalesceWindowMs: WINDOW_MS })
    const runIds = newRunIds(HOT_RUNS)
    const count = 50_000 * scale
    const next = () => updatesOf(runIds, count)
    let batches: RunUpdate[][] = []
    try {
      const inProcess: Side = {
        async prepare() {
          batches = chunksOf(next(), BATCH)
        },
        async work() {
          for (const batch of batches) await producer.enqueueMany(batch)
          return count
        },
      }
      const { ratio, spread, ours, peer } = await compare(rounds, linesSide(client, next), inProcess)
      return { figure: ratio, spread, ours: perSecond(ours), peer: perSecond(peer) }
    } finally {
      await Promise.all([client.close(), producer.close()])
      await server.close()
    }
  },
}
