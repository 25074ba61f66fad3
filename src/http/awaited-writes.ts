import type { Order } from '../pending/entry.js'
import { type EndedWrites, isAtLeast } from '../pending/outcome.js'
import type { FieldPath } from '../run/fields.js'

export type Fate = Pick<EndedWrites, 'outcome' | 'answer' | 'message'>

/**
 * The writes of one update, until each has met its end: the PATCH that carried it, or one that carried a newer write of
 * the same field, which then stands for it.
 */
export class AwaitedWrites {
  readonly #order: Order
  readonly #open: Set<FieldPath>
  #applied: Fate | undefined
  #refused: Fate | undefined

  constructor(paths: readonly FieldPath[], order: Order) {
    this.#order = order
    this.#open = new Set(paths)
  }

  get openPaths(): readonly FieldPath[] {
    return [...this.#open]
  }

  /** `isRemembered`: it is from Redis's memory, so it may be of long ago. */
  note({ writes, outcome, answer, message }: Omit<EndedWrites, 'runId'>, isRemembered = false): void {
    const fate = { outcome, message, ...(answer && { answer }) }
    for (const path of this.#open) {
      const order = writes.get(path)
      // A client key that is pending already keeps the order of its first writer.
      const isKey = path === 'clientKey' && !(isRemembered && outcome === 'refused')
      if (!order || !(isKey || isAtLeast(order, this.#order))) continue
      this.#open.delete(path)
      if (outcome === 'applied') this.#applied = fate
      else this.#refused ??= fate
    }
  }

  /** Undefined while some are open. One refused field decides: its answer tells what is wrong. */
  get fate(): Fate | undefined {
    return this.#open.size > 0 ? undefined : (this.#refused ?? this.#applied)
  }
}
