import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import type { FactEmitter } from '../events.js'
import { openIntakeQueue } from '../intake/intake-queue.js'
import type { SampledParts } from '../metrics/lane-sample.js'
import { LetterReasons } from '../metrics/letter-reasons.js'
import type { RunUpdateProducer } from '../producer/producer.js'
import { isAnswer } from '../redis/trouble.js'
import { EventsStream, onGone } from './overview/events-stream.js'
import { LaneWatch, type News } from './overview/lane-watch.js'
import { readPageFiles } from './overview/page-files.js'
import { readSnapshot } from './overview/snapshot.js'
import { ICON_PATH } from './page.js'

/** As many letters as are handed to the worker together. */
const PAGE = 500

export interface OverviewParts extends SampledParts {
  /** Its facts are told that Redis is away, and is back. */
  readonly producer: Pick<RunUpdateProducer, 'facts'>
}

/** The overview page at `/`, and what it is told. Looking a run up, holding and opening the lane are routes of /v1. */
export const overview: FastifyPluginAsyncZod<OverviewParts> = async (server, parts) => {
  const {
    redis,
    lane,
    deadLetters,
    producer: { facts },
  } = parts
  const hide = { hide: true }
  const intake = openIntakeQueue(redis, lane)
  const reasons = new LetterReasons(deadLetters)
  const watch = new LaneWatch({
    look: () => readSnapshot(parts, intake, reasons),
    onTrouble: (error) => facts.emit('redis:trouble', { error }),
    onLook: tellRecovery(facts),
  })
  const streams = new Set<EventsStream>()

  for (const [path, { type, text }] of readPageFiles()) {
    // The sign-in page has the icon, too.
    const config = { isOpen: path === ICON_PATH }
    server.get(path, { config, schema: hide }, async (_request, reply) => {
      return reply.type(type).header('cache-control', 'no-cache').send(text)
    })
  }

  server.get('/overview/events', { schema: hide, exposeHeadRoute: false }, (request, reply) => {
    const stream = new EventsStream(reply)
    streams.add(stream)
    stream.send('begin', { queueName: lane.queueName, flows: watch.flows })
    const unwatch = watch.watch((news: News) => stream.send(news.kind, news))
    onGone(request, () => {
      unwatch()
      streams.delete(stream)
    })
  })

  server.post(
    '/overview/retry-all',
    { schema: { ...hide, body: z.strictObject({ reason: z.string().min(1).max(256) }) } },
    async ({ body: { reason } }) => {
      const asked = await retryAll(deadLetters, reason)
      watch.lookNow()
      return { asked }
    },
  )

  watch.start()
  // A stream never ends by itself, and a server that closes waits for its connections.
  server.addHook('preClose', async () => {
    watch.close()
    for (const stream of streams) stream.end()
  })
  // Not waited for: where Redis is away, its end would be that of the outage.
  server.addHook('onClose', async () => void intake.close().catch(() => {}))
}

/** A producer tells that its connection is in trouble, and can't tell that it is over: what a look that succeeds does. */
function tellRecovery(facts: FactEmitter): () => void {
  let isInTrouble = false
  facts.on('redis:trouble', ({ error }) => {
    // A server that answers so is there.
    if (!isAnswer(error)) isInTrouble = true
  })
  return () => {
    if (!isInTrouble) return
    isInTrouble = false
    facts.emit('redis:recovered', {})
  }
}

/** Hands the letters of a reason to the worker, which redrives them at their pace. Returns how many. */
async function retryAll(deadLetters: DeadLetters, reason: string): Promise<number> {
  let asked = 0
  let page: Promise<boolean>[] = []
  const endPage = async () => {
    asked += (await Promise.all(page)).filter(Boolean).length
    page = []
  }
  for await (const job of deadLetters.list()) {
    if (job.data.reason !== reason) continue
    // One that is being retried, or was not seen by a worker yet, is not in the failed state.
    page.push(
      job.retry('failed').then(
        () => true,
        () => false,
      ),
    )
    if (page.length === PAGE) await endPage()
  }
  await endPage()
  return asked
}
