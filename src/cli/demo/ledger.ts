import type { DeadLetter } from '../../dead-letters/dead-letter.js'
import { parseStamp } from '../../pending/entry.js'
import { type EnqueueResult, orderOf } from '../../producer/enqueue-result.js'
import { fieldByPath } from '../../run/fields.js'
import { type Difference, Oracle, type RunState } from '../../run/oracle.js'
import { parseRunUpdate, type RunUpdate } from '../../run/parse.js'

/** Everything that was acknowledged, so that at the end each run can be held against what it must be. */
export class Ledger {
  readonly #oracle: Oracle
  #updates = 0

  /** @param runs as they are before the first update */
  constructor(runs: ReadonlyMap<string, RunState>) {
    this.#oracle = new Oracle(runs)
  }

  /** How many updates were acknowledged. */
  get updates(): number {
    return this.#updates
  }

  /** @throws Error for one that was not taken: the scenario makes none that may be refused. */
  acknowledge(update: RunUpdate, result: EnqueueResult): void {
    const order = orderOf(result)
    const parsed = parseRunUpdate(update)
    if (result.error) throw result.error
    if (!parsed.ok) throw parsed.error
    if (!order) throw new TypeError(`an update of run ${parsed.update.runId} was acknowledged without an order`)
    const { runId, writes } = parsed.update
    const { staleFields, conflictFields } = result
    const { observedUs, tie, sequence } = order
    this.#oracle.accept({ runId, writes, observedUs, tie, sequence, staleFields, conflictFields })
    this.#updates += 1
  }

  refuse({ runId, stamps }: DeadLetter): void {
    for (const [path, stamp] of Object.entries(stamps)) {
      const field = fieldByPath(path)
      const order = parseStamp(stamp)
      if (field && order) this.#oracle.refuse({ runId, path: field.path, sequence: order.sequence })
    }
  }

  /** Every field that is not what it must be; `runs`: as they are now that all is sent. */
  compare(runs: ReadonlyMap<string, RunState>): Difference[] {
    return this.#oracle.compare(runs)
  }
}
