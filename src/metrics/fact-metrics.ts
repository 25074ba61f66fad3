/**
 * Facts as metrics: what this process has taken in and sent. Nothing is asked of Redis, so an update costs a few
 * additions. Reasons and outcomes are closed lists; the one label that users write, `source`, is bounded.
 */
import { Counter, type CounterConfiguration, Histogram, type HistogramConfiguration, type Registry } from 'prom-client'
import { type FactEmitter, type FactListeners, listenToFacts } from '../events.js'
import { BoundedLabel } from './bounded-label.js'
import { METRIC_PREFIX } from './metric-name.js'

const MOST_SOURCES = 50

/** Of seconds: from what a quiet lane does in a moment to what an outage makes of it. */
const WAIT_BUCKETS = [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600]
const REQUEST_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const UPDATES_BUCKETS = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000]

/**
 * Counts in a registry what a worker or a producer tells. Both may share one: each metric is there once.
 * @param lane the queue name, a label of every metric.
 * @returns a function that ends it; what was counted stays.
 */
export function collectMetrics(facts: FactEmitter, registry: Registry, lane: string): () => void {
  const metrics = createFactMetrics(registry)
  return listenToFacts(facts, {
    ...updateListeners(metrics, lane),
    ...requestListeners(metrics, lane),
    ...holdListeners(metrics, lane),
    'run:reopened': () => metrics.reopened.inc({ lane }),
    'job:crashed': () => metrics.crashes.inc({ lane }),
  })
}

type FactMetrics = ReturnType<typeof createFactMetrics>

function createFactMetrics(registry: Registry) {
  return {
    updates: counter(registry, {
      name: 'updates_total',
      help: 'Updates taken in or refused, by result (accepted, stale, conflict, rejected) and source.',
      labelNames: ['lane', 'result', 'source'],
    }),
    rejected: counter(registry, {
      name: 'updates_rejected_total',
      help: 'Updates refused by the parser or the merge, by the code of the refusal.',
      labelNames: ['lane', 'code'],
    }),
    patches: counter(registry, {
      name: 'patches_total',
      help: 'PATCH requests by outcome (applied, refused, transient, throttled, held).',
      labelNames: ['lane', 'outcome'],
    }),
    updatesPerPatch: histogram(registry, {
      name: 'updates_per_patch',
      help: 'Updates that were merged into one applied PATCH.',
      labelNames: ['lane'],
      buckets: UPDATES_BUCKETS,
    }),
    enqueueToApplied: histogram(registry, {
      name: 'enqueue_to_applied_seconds',
      help: 'From the arrival of a write in Redis until it was applied, for each field that was sent.',
      labelNames: ['lane'],
      buckets: WAIT_BUCKETS,
    }),
    requestDuration: histogram(registry, {
      name: 'request_duration_seconds',
      help: 'Requests to Sift, from the call to the last byte of the answer.',
      labelNames: ['lane', 'method', 'outcome'],
      buckets: REQUEST_BUCKETS,
    }),
    retries: counter(registry, {
      name: 'retries_total',
      help: 'Requests that ended badly and are sent again, by reason.',
      labelNames: ['lane', 'reason'],
    }),
    permitWait: histogram(registry, {
      name: 'permit_wait_seconds',
      help: 'How long a request waited for its slot in the rate of the lane.',
      labelNames: ['lane'],
      buckets: [0.01, 0.05, ...WAIT_BUCKETS],
    }),
    holdDuration: histogram(registry, {
      name: 'throttle_hold_duration_seconds',
      help: 'How long the lane was held, as this worker saw it, once it is open again; by the reason that it began with.',
      labelNames: ['lane', 'reason'],
      buckets: WAIT_BUCKETS,
    }),
    reopened: counter(registry, {
      name: 'pending_runs_reopened_total',
      help: 'Pending runs that had lost their flush job and were given a new one.',
      labelNames: ['lane'],
    }),
    crashes: counter(registry, {
      name: 'job_crashes_total',
      help: 'Flush jobs that ended by a bug, or since Redis went away; they come again.',
      labelNames: ['lane'],
    }),
  }
}

function updateListeners({ updates, rejected }: FactMetrics, lane: string): FactListeners {
  const sources = new BoundedLabel(MOST_SOURCES)
  return {
    'update:merged': ({ result, source }) => {
      // What the merge refused is told once more, with its code.
      if (result !== 'accepted' && result !== 'stale' && result !== 'conflict') return
      updates.inc({ lane, result, source: sources.of(source) })
    },
    'update:rejected': ({ source, code }) => {
      updates.inc({ lane, result: 'rejected', source: sources.of(source) })
      rejected.inc({ lane, code })
    },
  }
}

function requestListeners(metrics: FactMetrics, lane: string): FactListeners {
  const noteRequest = (method: 'GET' | 'PATCH', outcome: string, durationMs: number) => {
    metrics.requestDuration.observe({ lane, method, outcome }, durationMs / 1_000)
    if (method === 'PATCH') metrics.patches.inc({ lane, outcome })
  }
  return {
    'permit:taken': ({ waitMs }) => metrics.permitWait.observe({ lane }, waitMs / 1_000),
    'patch:applied': ({ updates, durationMs, sinceArrivalMs }) => {
      noteRequest('PATCH', 'applied', durationMs)
      metrics.updatesPerPatch.observe({ lane }, updates)
      for (const ms of sinceArrivalMs) metrics.enqueueToApplied.observe({ lane }, ms / 1_000)
    },
    'patch:refused': ({ durationMs }) => noteRequest('PATCH', 'refused', durationMs),
    'run:read': ({ durationMs }) => noteRequest('GET', 'applied', durationMs),
    'request:failed': ({ method, kind, reason, durationMs }) => {
      noteRequest(method, kind, durationMs)
      metrics.retries.inc({ lane, reason })
    },
  }
}

function holdListeners({ holdDuration }: FactMetrics, lane: string): FactListeners {
  let hold: { readonly reason: string; readonly since: number } | undefined
  return {
    // A hold may change its reason on the way; it is still one.
    'lane:held': ({ reason }) => {
      hold ??= { reason, since: performance.now() }
    },
    'lane:opened': () => {
      if (hold) holdDuration.observe({ lane, reason: hold.reason }, (performance.now() - hold.since) / 1_000)
      hold = undefined
    },
  }
}

function counter<Label extends string>(
  registry: Registry,
  { name, ...config }: CounterConfiguration<Label>,
): Counter<Label> {
  const fullName = `${METRIC_PREFIX}${name}`
  const known = registry.getSingleMetric(fullName)
  return known instanceof Counter ? known : new Counter({ ...config, name: fullName, registers: [registry] })
}

function histogram<Label extends string>(
  registry: Registry,
  { name, ...config }: HistogramConfiguration<Label>,
): Histogram<Label> {
  const fullName = `${METRIC_PREFIX}${name}`
  const known = registry.getSingleMetric(fullName)
  return known instanceof Histogram ? known : new Histogram({ ...config, name: fullName, registers: [registry] })
}
