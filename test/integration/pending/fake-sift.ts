import type { Entry } from '../../../src/pending/entry.js'
import type { FieldPath } from '../../../src/run/fields.js'

type Run = Partial<Record<FieldPath, unknown>>

/** What the pending updates need of Sift: a PATCH is applied as a whole or not at all, and a client key is set once. */
export class FakeSift {
  readonly runs = new Map<string, Run>()
  /** Until then, values that begin with "bad" are refused. */
  isMended = false
  /** A write that was refused stays so until it is redriven: else it could be applied, and a dead letter, too. */
  readonly #refused = new Set<string>()

  /** Returns whether it was applied. */
  patch(runId: string, entries: readonly Entry[]): boolean {
    const run = this.runs.get(runId) ?? {}
    const refused = entries.filter((entry) => this.#isRefused(runId, run, entry))
    for (const entry of refused) this.#refused.add(identity(runId, entry))
    if (refused.length > 0) return false
    this.runs.set(runId, { ...run, ...Object.fromEntries(entries.map(({ path, value }) => [path, value])) })
    return true
  }

  #isRefused(runId: string, run: Run, entry: Entry): boolean {
    const { path, value } = entry
    if (path === 'clientKey' && run.clientKey !== undefined) return run.clientKey !== value
    if (this.#refused.has(identity(runId, entry))) return true
    return !this.isMended && typeof value === 'string' && value.startsWith('bad')
  }
}

const identity = (runId: string, { path, stamp }: Entry): string => `${runId} ${path} ${stamp}`
