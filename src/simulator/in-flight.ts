interface RunFlight {
  open: number
  /** When the last PATCH of the run ended, in ticks. */
  lastEnd: number
}

/**
 * How many PATCHes of one run are open at once. A PATCH is open from its arrival, though its run is known only once its
 * body is there: so one that has ended in between counts as open at the same time. Moments are ticks, not times, since
 * two that fall together on a clock have an order here.
 */
export class InFlight {
  readonly #runs = new Map<string, RunFlight>()
  #tick = 0
  #most = 0

  /** The most that were open at once, of any run, since the start. */
  get most(): number {
    return this.#most
  }

  /** A request arrives; gives its tick. */
  arrive(): number {
    this.#tick += 1
    return this.#tick
  }

  enter(runId: string, arrival: number): void {
    const run = this.#runs.get(runId) ?? { open: 0, lastEnd: 0 }
    run.open += 1
    this.#runs.set(runId, run)
    const justEnded = run.lastEnd > arrival ? 1 : 0
    this.#most = Math.max(this.#most, run.open + justEnded)
  }

  leave(runId: string): void {
    const run = this.#runs.get(runId)
    if (run === undefined) return
    this.#tick += 1
    run.open -= 1
    run.lastEnd = this.#tick
  }
}
