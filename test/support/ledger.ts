import { expect } from 'vitest'
import type { DeadLetter } from '../../src/dead-letters/dead-letter.js'
import { type Order, parseStamp } from '../../src/pending/entry.js'
import { EnqueueInterruptedError, type EnqueueResult, orderOf } from '../../src/producer/enqueue-result.js'
import type { RunUpdateProducer } from '../../src/producer/producer.js'
import { type FieldPath, fieldByPath } from '../../src/run/fields.js'
import { type Difference, Oracle, type RunState } from '../../src/run/oracle.js'
import { parseRunUpdate, type RunUpdate } from '../../src/run/parse.js'
import type { Pipeline } from './pipeline.js'

/** What a producer was told of one update, in a form that crosses a channel between processes. */
export interface Acknowledgement extends Pick<EnqueueResult, 'status' | 'staleFields' | 'conflictFields'> {
  /** Undefined where the update was rejected. */
  readonly order: Order | undefined
}

/** Everything that was acknowledged, in any process, so that at the end every run can be held against the oracle. */
export class Ledger {
  readonly #oracle: Oracle
  /** When each field of each run was last acknowledged, on the monotonic clock. */
  readonly #acknowledgedAt = new Map<string, number>()
  #count = 0

  /** @param initialRuns as they are before the first update */
  constructor(initialRuns: ReadonlyMap<string, RunState> = new Map()) {
    this.#oracle = new Oracle(initialRuns)
  }

  /** How many updates were acknowledged. */
  get count(): number {
    return this.#count
  }

  acknowledge(update: RunUpdate, { status, staleFields, conflictFields, order }: Acknowledgement): void {
    const parsed = parseRunUpdate(update)
    if (!parsed.ok || !order) throw new TypeError(`an update that should be taken was ${status}`)
    const { runId, writes } = parsed.update
    this.#oracle.accept({ runId, writes, ...order, staleFields, conflictFields })
    this.#count += 1
    for (const path of Object.keys(writes)) this.#acknowledgedAt.set(`${runId} ${path}`, performance.now())
  }

  /** Whether any write of the field was acknowledged after this moment of the monotonic clock. */
  isWrittenSince(moment: number, { runId, path }: { runId: string; path: FieldPath }): boolean {
    return (this.#acknowledgedAt.get(`${runId} ${path}`) ?? Number.NEGATIVE_INFINITY) >= moment
  }

  refuse({ runId, stamps }: Pick<DeadLetter, 'runId' | 'stamps'>): void {
    for (const [path, stamp] of Object.entries(stamps)) {
      const field = fieldByPath(path)
      const order = parseStamp(stamp)
      if (field && order) this.#oracle.refuse({ runId, path: field.path, sequence: order.sequence })
    }
  }

  /** Every field that is not what it must be, now that all is sent. Takes in the letters that are in the list. */
  async differences({ deadLetters, simulator }: Pipeline): Promise<Difference[]> {
    for await (const { data } of deadLetters.list()) this.refuse(data)
    return this.#oracle.compare(simulator.runs)
  }
}

/** Sends updates, and what was cut off again: it isn't known whether that was taken, and sending it again is safe. */
export async function sendAll(
  producer: RunUpdateProducer,
  updates: readonly RunUpdate[],
  ledger: Ledger,
): Promise<void> {
  let left = updates
  while (left.length > 0) {
    const results = await producer.enqueueMany(left).catch((error: unknown) => {
      if (error instanceof EnqueueInterruptedError) return error.results
      throw error
    })
    for (const [index, result] of results.entries()) {
      const update = left[index]
      if (update) ledger.acknowledge(update, { ...result, order: orderOf(result) })
    }
    left = left.slice(results.length)
  }
}

/** Waits until all is sent, and holds every run against the oracle. */
export async function expectEveryRunEqualsOracle(pipeline: Pipeline, ledger: Ledger, timeoutMs = 60_000) {
  await pipeline.drained(timeoutMs)
  expect(await ledger.differences(pipeline)).toEqual([])
}
