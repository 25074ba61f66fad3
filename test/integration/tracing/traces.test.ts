import { context, propagation, type Span, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { fastify } from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { continueCallersTrace } from '../../../src/http/caller-trace.js'
import type { RunUpdate } from '../../../src/run/run-update.js'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'

/** The header of W3C's Trace Context, which an SDK would bring. */
const TRACEPARENT = {
  inject(ctx: Parameters<typeof trace.getSpanContext>[0], carrier: Record<string, string>) {
    const span = trace.getSpanContext(ctx)
    if (span) carrier.traceparent = `00-${span.traceId}-${span.spanId}-0${span.traceFlags}`
  },
  extract(ctx: Parameters<typeof trace.setSpanContext>[0], carrier: Record<string, string>) {
    const [, traceId = '', spanId = '', traceFlags] = carrier.traceparent?.split('-') ?? []
    return traceId
      ? trace.setSpanContext(ctx, { traceId, spanId, traceFlags: Number(traceFlags), isRemote: true })
      : ctx
  },
  fields: () => ['traceparent'],
}

let redis: TestRedis
let pipeline: Pipeline
let exporter: InMemorySpanExporter

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())

function registerSdk(): void {
  exporter = new InMemorySpanExporter()
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(TRACEPARENT)
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
}

function unregisterSdk(): void {
  trace.disable()
  context.disable()
  propagation.disable()
}

/** As a caller would, within a span of its own. */
async function within<Result>(name: string, task: () => Promise<Result>): Promise<{ result: Result; span: Span }> {
  return await trace.getTracer('caller').startActiveSpan(name, async (span) => {
    try {
      return { result: await task(), span }
    } finally {
      span.end()
    }
  })
}

const spans = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name)
const linkedSpans = (span: ReadableSpan | undefined): string[] =>
  (span?.links ?? []).map((link) => link.context.spanId).toSorted()
const ids = (list: readonly ReadableSpan[]): string[] => list.map((span) => span.spanContext().spanId).toSorted()

describe('with an SDK', () => {
  beforeEach(async () => {
    registerSdk()
    pipeline = await startPipeline(redis)
  })
  afterEach(async () => {
    await pipeline.close()
    unregisterSdk()
  })

  test("a trace goes from the caller's span through enqueue and the flush job to the PATCH", async () => {
    const { span: caller } = await within('ingest', () =>
      pipeline.producer.enqueue({ run: { runId: 'a', name: 'n' }, source: 'ingest' }),
    )
    await pipeline.addWorker().ready()
    await pipeline.drained()
    await waitFor('the spans', () => spans(`process ${pipeline.lane.queueName}`).length === 1)

    const [enqueue] = spans('enqueue run update')
    const [process] = spans(`process ${pipeline.lane.queueName}`)
    const [patch] = spans('PATCH run')
    expect(enqueue?.parentSpanContext?.spanId).toBe(caller.spanContext().spanId)
    expect(process?.parentSpanContext?.spanId).toBe(enqueue?.spanContext().spanId)
    expect(patch?.parentSpanContext?.spanId).toBe(process?.spanContext().spanId)
    for (const span of [enqueue, process, patch]) {
      expect(span?.spanContext().traceId).toBe(caller.spanContext().traceId)
    }
    expect(enqueue).toMatchObject({
      kind: SpanKind.PRODUCER,
      attributes: { 'sift_run_updater.result': 'accepted', 'sift_run_updater.source': 'ingest' },
    })
    expect(patch).toMatchObject({
      kind: SpanKind.CLIENT,
      attributes: {
        'http.request.method': 'PATCH',
        'http.response.status_code': 200,
        'sift_run_updater.run_id': 'a',
        'sift_run_updater.update_mask': 'name',
        'sift_run_updater.updates': 1,
      },
    })
  })

  test('the PATCH is linked to each of the updates that were merged into it, from whichever call or trace', async () => {
    await within('first', () =>
      pipeline.producer.enqueueMany([
        { run: { runId: 'a', name: 'n' } },
        { run: { runId: 'a', description: 'd' } },
        { run: { runId: 'other', name: 'n' } },
      ]),
    )
    await within('second', () => pipeline.addProducer().enqueue({ run: { runId: 'a', tags: ['t'] } }))
    await pipeline.addWorker().ready()
    await pipeline.drained()

    const ofRun = (run: string) => (span: ReadableSpan) => span.attributes['sift_run_updater.run_id'] === run
    const [patch] = spans('PATCH run').filter(ofRun('a'))
    const updates = spans('enqueue run update').filter(ofRun('a'))
    expect(updates).toHaveLength(3)
    expect(linkedSpans(patch)).toEqual(ids(updates))
  })

  test('an update that comes in while a PATCH is on its way is linked to by the next one only, which goes on with its trace', async () => {
    pipeline.simulator.setFaults({ latencyMs: 150 })
    pipeline.addWorker()
    const { span: first } = await within('first', () => pipeline.producer.enqueue({ run: { runId: 'a', name: '1' } }))
    await pipeline.simulator.next('request')
    const { span: second } = await within('second', () => pipeline.producer.enqueue({ run: { runId: 'a', name: '2' } }))
    await pipeline.drained()

    const patches = spans('PATCH run')
    const updates = spans('enqueue run update')
    expect(patches.map(linkedSpans)).toEqual(updates.map((update) => [update.spanContext().spanId]))
    expect(patches.map((patch) => patch.spanContext().traceId)).toEqual(
      [first, second].map((caller) => caller.spanContext().traceId),
    )
  })

  test('a retry is linked as the first try was, and a failed try is an error', async () => {
    pipeline.simulator.setFaults({ errors: { 503: 1 } })
    pipeline.addWorker()
    await pipeline.producer.enqueue({ run: { runId: 'a', name: 'n' } })
    await pipeline.simulator.next('finished')
    pipeline.simulator.setFaults({ errors: {} })
    await pipeline.drained()
    const patches = spans('PATCH run')
    expect(patches.length).toBeGreaterThan(1)
    for (const patch of patches) expect(linkedSpans(patch)).toEqual(ids(spans('enqueue run update')))
    expect(patches[0]).toMatchObject({ status: { code: 2 }, attributes: { 'error.type': 'unavailable' } })
    expect(patches.at(-1)?.status.code).toBe(0)
  })

  test('of many updates only the newest twenty are kept to link to', async () => {
    const updates = Array.from({ length: 30 }, (_, i) => ({ run: { runId: 'a', name: `n ${i}` } }))
    await pipeline.producer.enqueueMany(updates)
    await pipeline.addWorker().ready()
    await pipeline.drained()
    expect(linkedSpans(spans('PATCH run')[0])).toEqual(ids(spans('enqueue run update').slice(-20)))
  })

  test('an update of which nothing was taken is not linked to', async () => {
    await pipeline.producer.enqueue({ run: { runId: 'a', name: 'new' }, observedAt: '2026-01-02T00:00:00Z' })
    await pipeline.producer.enqueue({ run: { runId: 'a', name: 'old' }, observedAt: '2026-01-01T00:00:00Z' })
    await pipeline.addWorker().ready()
    await pipeline.drained()
    expect(linkedSpans(spans('PATCH run')[0])).toEqual(ids(spans('enqueue run update').slice(0, 1)))
  })

  test("an update that came over HTTP goes on with its caller's trace, and the next one is none of it", async () => {
    const server = fastify()
    continueCallersTrace(server)
    server.post<{ Body: RunUpdate }>('/', async ({ body }) => await pipeline.producer.enqueue(body))
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    const post = async (runId: string, headers: Record<string, string>) => {
      const body = JSON.stringify({ run: { runId, name: 'n'.repeat(30_000) } })
      const response = await fetch(url, {
        method: 'POST',
        body,
        headers: { ...headers, 'content-type': 'application/json' },
      })
      expect(response.status).toBe(200)
    }
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    await post('a', { traceparent: `00-${traceId}-b7ad6b7169203331-01` })
    await post('b', {})
    await server.close()
    const [traced, untraced] = spans('enqueue run update')
    expect(traced?.spanContext().traceId).toBe(traceId)
    expect(traced?.parentSpanContext?.spanId).toBe('b7ad6b7169203331')
    expect(untraced?.spanContext().traceId).not.toBe(traceId)
    expect(untraced?.parentSpanContext).toBeUndefined()
  })

  test('a run that is always busy does not become one trace without end', async () => {
    pipeline.simulator.setFaults({ latencyMs: 60 })
    pipeline.addWorker()
    for (let i = 0; i < 4; i++) {
      await pipeline.producer.enqueue({ run: { runId: 'a', name: `n ${i}` } })
      await pipeline.simulator.next('request')
    }
    await pipeline.drained()
    const traces = new Set(spans('PATCH run').map((patch) => patch.spanContext().traceId))
    expect(traces.size).toBe(spans('PATCH run').length)
  })

  test('an enqueue that fails is an error', async () => {
    const away = pipeline.addProducer({ redis: 'redis://127.0.0.1:1' })
    await expect(away.enqueue({ run: { runId: 'a', name: 'n' } })).rejects.toThrow()
    expect(spans('enqueue run update')[0]?.status.code).toBe(2)
  })
})

test('without an SDK nothing is written for it into Redis', async () => {
  pipeline = await startPipeline(redis)
  const { generation } = await pipeline.producer.enqueue({ run: { runId: 'a', name: 'n' } })
  const client = redis.client()
  expect(await client.hexists(pipeline.lane.pending('a'), 'origins')).toBe(0)
  const { prefix, queueName } = pipeline.lane
  const job = await client.hgetall(`${prefix}:${queueName}:a.${generation}`)
  expect(Object.keys(JSON.parse(job.opts ?? '{}'))).not.toContain('tm')
  expect(job.opts).not.toContain('omc')
  await pipeline.close()
})
