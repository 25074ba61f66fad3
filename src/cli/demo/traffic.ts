import { setTimeout as sleep } from 'node:timers/promises'
import { EnqueueInterruptedError } from '../../producer/enqueue-result.js'
import type { RunUpdateProducer } from '../../producer/producer.js'
import type { RunUpdate } from '../../run/run-update.js'
import type { Ledger } from './ledger.js'
import { type Scenario, SOURCES } from './scenario.js'

/** Small enough to look like single updates, large enough to cost little: a hundred times that many a second. */
const TICK_MS = 20

/** What a machine that was busy elsewhere catches up with at once. */
const MOST_PER_TICK = 2_000

/** A Redis that is away for longer ends the demo. */
const RESENDS = 5

export interface Traffic {
  readonly scenario: Scenario
  /** Each sends the updates of some of the sources. */
  readonly producers: readonly RunUpdateProducer[]
  readonly ledger: Ledger
  readonly updatesPerSecond: number
  readonly durationMs: number
  readonly signal: AbortSignal
}

/**
 * Sends updates at an even rate and returns when the last one is acknowledged.
 * @throws RedisUnavailableError where Redis stays away; AbortError
 */
export async function sendTraffic(traffic: Traffic): Promise<void> {
  const { scenario, producers, updatesPerSecond, durationMs, signal } = traffic
  const total = Math.round((updatesPerSecond * durationMs) / 1_000)
  const startedAt = performance.now()
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.ceil(((performance.now() - startedAt) * updatesPerSecond) / 1_000))
    const count = Math.min(due - sent, MOST_PER_TICK)
    const updates = Array.from({ length: count }, () => scenario.next(Date.now()))
    await Promise.all(
      producers.map((producer, index) =>
        send(
          traffic.ledger,
          producer,
          updates.filter((update) => producerOf(update, producers.length) === index),
        ),
      ),
    )
    sent += count
    await sleep(TICK_MS, undefined, { signal })
  }
}

function producerOf({ source }: RunUpdate, producers: number): number {
  return SOURCES.indexOf(source ?? '') % producers
}

/** Of what was cut off it isn't known whether it was taken. Sending it again is safe, so that is what is done. */
async function send(ledger: Ledger, producer: RunUpdateProducer, updates: readonly RunUpdate[]): Promise<void> {
  let left = updates
  for (let attempt = 0; left.length > 0; attempt += 1) {
    const { results, error } = await producer.enqueueMany(left).then(
      (results) => ({ results, error: undefined }),
      (error: unknown) => {
        if (!(error instanceof EnqueueInterruptedError)) throw error
        return { results: error.results, error }
      },
    )
    for (const [index, result] of results.entries()) {
      const update = left[index]
      if (update) ledger.acknowledge(update, result)
    }
    if (error && attempt === RESENDS) throw error
    left = left.slice(results.length)
  }
}
