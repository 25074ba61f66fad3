import type { Simulator } from '../../simulator/simulator.js'
import type { WorkerMessage } from './worker-process.js'

/** What the workers tell and what the simulator sees, added up. */
export class Tally {
  /** Requests that ended badly and were sent again, by reason. */
  readonly failures = new Map<string, number>()
  /** For each field that was applied: from its arrival in Redis until then, in milliseconds. */
  readonly latenciesMs: number[] = []
  /** Bugs, each message once. */
  readonly crashes = new Set<string>()
  #patches = 0

  /** As Sift sees them: each PATCH that arrived, whatever became of it. */
  get patches(): number {
    return this.#patches
  }

  get failed(): number {
    return [...this.failures.values()].reduce((sum, count) => sum + count, 0)
  }

  watch(simulator: Simulator): void {
    simulator.on('request', ({ method }) => {
      if (method === 'PATCH') this.#patches += 1
    })
  }

  take(message: WorkerMessage): void {
    switch (message.kind) {
      case 'ready':
        return
      case 'applied':
        for (const latencyMs of message.sinceArrivalMs) this.latenciesMs.push(latencyMs)
        return
      case 'failed':
        this.failures.set(message.reason, (this.failures.get(message.reason) ?? 0) + 1)
        return
      case 'crashed':
        this.crashes.add(message.message)
    }
  }
}

/** The value below which the share of them lies, by the nearest rank; null where there are none. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null
}
