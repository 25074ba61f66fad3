/**
 * The state of a lane as metrics, read from Redis when it is asked for. Every process of the lane tells the same, so a
 * query takes their `max`, never their sum.
 *
 * A scrape never fails, and never waits for long: where Redis is away, `redis_up` is 0 and the lane's other metrics are
 * missing, which no alert can take for "nothing is pending".
 */
import { Queue } from 'bullmq'
import { Counter, Gauge, type Registry } from 'prom-client'
import { before } from '../redis/deadline.js'
import { type JobCounts, type LaneSample, readSample, type SampledParts } from './lane-sample.js'
import { LetterReasons } from './letter-reasons.js'
import { METRIC_PREFIX } from './metric-name.js'

/** Less than the ten seconds after which Prometheus gives a scrape up. */
const SAMPLE_TIMEOUT_MS = 3_000
/** Scrapes by several servers, and all metrics of one scrape, share a look. */
const SAMPLE_MAX_AGE_MS = 500

type Labels = Readonly<Record<string, string>>
type Values = readonly (readonly [labels: Labels, value: number])[]

interface SampledMetric {
  readonly kind: 'gauge' | 'counter'
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  readonly values: (sample: LaneSample, queues: { readonly flush: string; readonly intake: string }) => Values
}

const SAMPLED: readonly SampledMetric[] = [
  {
    kind: 'gauge',
    name: 'pending_runs',
    help: 'Runs that have a pending update.',
    labels: [],
    values: ({ pendingRuns }) => [[{}, pendingRuns]],
  },
  {
    kind: 'gauge',
    name: 'pending_oldest_age_seconds',
    help: 'Since the oldest pending update was opened; 0 where nothing is pending.',
    labels: [],
    values: ({ oldestPendingAgeSeconds }) => [[{}, oldestPendingAgeSeconds]],
  },
  {
    kind: 'gauge',
    name: 'jobs',
    help: "BullMQ's own count of the jobs in the queues for flush jobs and intake, by state.",
    labels: ['queue', 'state'],
    values: ({ flushJobs, intakeJobs }, { flush, intake }) => [
      ...byState(flushJobs, { queue: flush }),
      ...byState(intakeJobs, { queue: intake }),
    ],
  },
  {
    kind: 'gauge',
    name: 'dead_letter_jobs',
    help: "BullMQ's own count of the jobs in the queue of dead letters, by state.",
    labels: ['state'],
    values: ({ deadLetterJobs }) => byState(deadLetterJobs, {}),
  },
  {
    kind: 'gauge',
    name: 'queue_paused',
    help: 'Whether a queue is paused in BullMQ, so that nothing leaves it before it is resumed: 1 or 0.',
    labels: ['queue'],
    values: ({ pausedQueues }) => [...pausedQueues].map(([queue, isPaused]) => [{ queue }, isPaused ? 1 : 0] as const),
  },
  {
    kind: 'gauge',
    name: 'throttle_state',
    help: 'State of the lane: 1 for the one that it is in (open, held, probing), 0 for the others.',
    labels: ['state'],
    values: ({ throttleState }) =>
      ['open', 'held', 'probing'].map((state) => [{ state }, state === throttleState ? 1 : 0] as const),
  },
  {
    kind: 'gauge',
    name: 'throttle_held_seconds',
    help: 'How long the lane has been held by now, with the reason; 0 with the reason none while it is open.',
    labels: ['reason'],
    values: ({ heldReason, heldSeconds }) => [[{ reason: heldReason ?? 'none' }, heldSeconds]],
  },
  {
    kind: 'gauge',
    name: 'dead_letters',
    help: 'Dead letters that are there now, by reason.',
    labels: ['reason'],
    values: ({ deadLettersByReason }) =>
      [...deadLettersByReason].map(([reason, count]) => [{ reason }, count] as const),
  },
  {
    kind: 'counter',
    name: 'dead_letters_recorded_total',
    help: 'Dead letters recorded since the lane began.',
    labels: [],
    values: ({ deadLetterCounts }) => [[{}, deadLetterCounts.recorded]],
  },
  {
    kind: 'counter',
    name: 'dead_letters_redriven_total',
    help: 'Dead letters that were redriven.',
    labels: [],
    values: ({ deadLetterCounts }) => [[{}, deadLetterCounts.redriven]],
  },
  {
    kind: 'counter',
    name: 'dead_letters_removed_total',
    help: 'Dead letters that were removed without a redrive, by any means; noticed within five minutes.',
    labels: [],
    values: ({ deadLetterCounts }) => [[{}, deadLetterCounts.removed]],
  },
]

export interface LaneMetrics {
  /** Closes what it has opened; the parts stay their owner's. */
  close(): Promise<void>
}

/** Tells the state of a lane in a registry: one lane a registry. */
export function sampleLane(parts: SampledParts, registry: Registry): LaneMetrics {
  const { lane, redis } = parts
  // Only looked at, so it must not be written into the list of queues.
  const intake = new Queue(lane.intakeQueueName, { connection: redis, prefix: lane.prefix, skipMetasUpdate: true })
  intake.on('error', () => {})
  const letterReasons = new LetterReasons(parts.deadLetters)
  const look = new SharedLook(
    () => redis.status === 'ready',
    () => readSample(parts, intake, letterReasons),
  )
  const name = lane.queueName
  const queues = { flush: lane.queueName, intake: lane.intakeQueueName }
  for (const row of SAMPLED) {
    const config = { name: `${METRIC_PREFIX}${row.name}`, help: row.help, labelNames: ['lane', ...row.labels] }
    const read = async () => {
      const sample = await look.take()
      return sample ? row.values(sample, queues) : []
    }
    if (row.kind === 'gauge') addGauge(registry, config, name, read)
    else addCounter(registry, config, name, read)
  }
  const up = {
    name: `${METRIC_PREFIX}redis_up`,
    help: 'Whether the lane could be read from Redis: 1 or 0.',
    labelNames: ['lane'],
  }
  addGauge(registry, up, name, async () => [[{}, (await look.take()) ? 1 : 0]])
  return { close: () => intake.close() }
}

interface MetricConfig {
  readonly name: string
  readonly help: string
  readonly labelNames: string[]
}

function addGauge(registry: Registry, config: MetricConfig, lane: string, read: () => Promise<Values>): void {
  new Gauge({
    ...config,
    registers: [registry],
    async collect() {
      const values = await read()
      // Without the reset a reason that is gone would be told for ever.
      this.reset()
      for (const [labels, value] of values) this.set({ lane, ...labels }, value)
    },
  })
}

function addCounter(registry: Registry, config: MetricConfig, lane: string, read: () => Promise<Values>): void {
  new Counter({
    ...config,
    registers: [registry],
    async collect() {
      const values = await read()
      this.reset()
      for (const [labels, value] of values) this.inc({ lane, ...labels }, value)
    },
  })
}

function byState(counts: JobCounts, labels: Labels): Values {
  return Object.entries(counts).map(([state, count]) => [{ ...labels, state }, count] as const)
}

/** One look at a time, for all who ask while it is fresh. A look that takes too long goes on, but is not waited for. */
class SharedLook {
  readonly #isReady: () => boolean
  readonly #look: () => Promise<LaneSample>
  #running: Promise<LaneSample> | undefined
  #last: { readonly at: number; readonly sample: LaneSample | undefined } | undefined

  constructor(isReady: () => boolean, look: () => Promise<LaneSample>) {
    this.#isReady = isReady
    this.#look = look
  }

  /** Undefined: the lane can't be read now. */
  async take(): Promise<LaneSample | undefined> {
    // Commands would wait for the return of Redis, and pile up.
    if (!this.#isReady()) return undefined
    if (this.#last && performance.now() - this.#last.at < SAMPLE_MAX_AGE_MS) return this.#last.sample
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined
    })
    const running = this.#running
    const sample = await before(performance.now() + SAMPLE_TIMEOUT_MS, () => running).catch(() => undefined)
    this.#last = { at: performance.now(), sample }
    return sample
  }
}
