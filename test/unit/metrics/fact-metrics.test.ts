import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FactEmitter } from '../../../src/events.js'
import { collectMetrics } from '../../../src/metrics/fact-metrics.js'

let facts: FactEmitter
let registry: Registry
let end: () => void

beforeEach(() => {
  facts = new FactEmitter()
  registry = new Registry()
  end = collectMetrics(facts, registry, 'lane-1')
})
afterEach(() => {
  vi.useRealTimers()
})

/** The lines of a metric, without its prefix. */
async function lines(name: string): Promise<string[]> {
  const text = await registry.getSingleMetricAsString(`sift_run_updater_${name}`)
  return text.split('\n').flatMap((line) => (line.startsWith('#') ? [] : [line.replace('sift_run_updater_', '')]))
}

const applied = { runId: 'r', updateMask: 'name', updates: 50, durationMs: 120, sinceArrivalMs: [900, 1_400] }
const failed = { runId: 'r', message: 'm', durationMs: 20, ambiguous: false }

describe('updates', () => {
  test('count by result and source', async () => {
    const merged = { runId: 'r', stamp: '' }
    facts.emit('update:merged', { ...merged, result: 'accepted', source: 'ingest' })
    facts.emit('update:merged', { ...merged, result: 'accepted', source: 'ingest' })
    facts.emit('update:merged', { ...merged, result: 'stale', source: '' })
    expect(await lines('updates_total')).toEqual([
      'updates_total{lane="lane-1",result="accepted",source="ingest"} 2',
      'updates_total{lane="lane-1",result="stale",source="none"} 1',
    ])
  })

  test('that the merge refuses count once, with their code', async () => {
    facts.emit('update:merged', { runId: 'r', result: 'overloaded', source: 's', stamp: '' })
    facts.emit('update:rejected', { runId: 'r', source: 's', code: 'overloaded' })
    expect(await lines('updates_total')).toEqual(['updates_total{lane="lane-1",result="rejected",source="s"} 1'])
    expect(await lines('updates_rejected_total')).toEqual(['updates_rejected_total{lane="lane-1",code="overloaded"} 1'])
  })

  test('of more sources than fifty share a series', async () => {
    for (let i = 0; i < 1_000; i++) {
      facts.emit('update:merged', { runId: 'r', result: 'accepted', source: `source ${i}`, stamp: '' })
    }
    const series = await lines('updates_total')
    expect(series).toHaveLength(51)
    expect(series).toContain('updates_total{lane="lane-1",result="accepted",source="other"} 950')
  })
})

describe('requests', () => {
  test('PATCHes count by outcome', async () => {
    facts.emit('patch:applied', applied)
    facts.emit('patch:refused', { runId: 'r', updateMask: 'name', reason: 'x', message: 'm', durationMs: 10 })
    facts.emit('request:failed', { ...failed, method: 'PATCH', kind: 'throttled', reason: 'rate_limited' })
    expect(await lines('patches_total')).toEqual([
      'patches_total{lane="lane-1",outcome="applied"} 1',
      'patches_total{lane="lane-1",outcome="refused"} 1',
      'patches_total{lane="lane-1",outcome="throttled"} 1',
    ])
  })

  test('a read is a request, and no PATCH', async () => {
    facts.emit('run:read', { runId: 'r', durationMs: 30 })
    facts.emit('request:failed', { ...failed, method: 'GET', kind: 'transient', reason: 'unavailable' })
    expect(await lines('patches_total')).toEqual([])
    const durations = await lines('request_duration_seconds')
    expect(durations).toContain('request_duration_seconds_sum{lane="lane-1",method="GET",outcome="applied"} 0.03')
    expect(durations).toContain('request_duration_seconds_count{lane="lane-1",method="GET",outcome="transient"} 1')
    expect(await lines('retries_total')).toEqual(['retries_total{lane="lane-1",reason="unavailable"} 1'])
  })

  test('times are told in seconds, for each field from its arrival', async () => {
    facts.emit('patch:applied', applied)
    facts.emit('permit:taken', { runId: 'r', waitMs: 250 })
    expect(await lines('enqueue_to_applied_seconds')).toContain('enqueue_to_applied_seconds_sum{lane="lane-1"} 2.3')
    expect(await lines('request_duration_seconds')).toContain(
      'request_duration_seconds_sum{lane="lane-1",method="PATCH",outcome="applied"} 0.12',
    )
    expect(await lines('permit_wait_seconds')).toContain('permit_wait_seconds_sum{lane="lane-1"} 0.25')
    expect(await lines('updates_per_patch')).toContain('updates_per_patch_sum{lane="lane-1"} 50')
  })
})

test('a hold lasts until the lane opens, under the reason that it began with', async () => {
  vi.useFakeTimers()
  facts.emit('lane:held', { reason: 'outage', detail: null, untilMs: null })
  vi.advanceTimersByTime(2_000)
  facts.emit('lane:held', { reason: 'operator', detail: null, untilMs: null })
  vi.advanceTimersByTime(3_000)
  facts.emit('lane:opened', {})
  const holds = await lines('throttle_hold_duration_seconds')
  expect(holds).toContain('throttle_hold_duration_seconds_sum{lane="lane-1",reason="outage"} 5')
  expect(holds.filter((line) => line.includes('_count'))).toHaveLength(1)
})

test('a producer and a worker share a registry, each metric once', async () => {
  const others = new FactEmitter()
  collectMetrics(others, registry, 'lane-1')
  facts.emit('patch:applied', applied)
  others.emit('patch:applied', applied)
  expect(await lines('patches_total')).toEqual(['patches_total{lane="lane-1",outcome="applied"} 2'])
})

test('nothing is counted any more once it was ended', async () => {
  end()
  facts.emit('patch:applied', applied)
  expect(await lines('patches_total')).toEqual([])
  expect(facts.eventNames()).toEqual([])
})
