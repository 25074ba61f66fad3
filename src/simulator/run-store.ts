import { RPC_CODE, StatusError } from './status.js'
import { applyUpdate, newRun, type StoredRun } from './stored-run.js'
import { decodeRunFields, isUpdatable, type RunFields, type UpdateRequest } from './update-request.js'

/** All runs of the simulated organization, in the order of their creation, and who holds which client key. */
export class RunStore {
  readonly #runs = new Map<string, StoredRun>()
  /** Client key to run id. A key never changes its run, since it is set once. */
  readonly #clientKeys = new Map<string, string>()
  readonly #createsRuns: boolean
  readonly #now: () => number

  /** `createsRuns`: a run is made when its id is first seen. `now`: milliseconds since 1970. */
  constructor(createsRuns: boolean, now: () => number) {
    this.#createsRuns = createsRuns
    this.#now = now
  }

  get runs(): ReadonlyMap<string, StoredRun> {
    return this.#runs
  }

  /** Throws where there is such a run already, and `StatusError` where the API would refuse `initial`. */
  create(runId: string, initial: RunFields): StoredRun {
    if (this.#runs.has(runId)) throw new Error(`there is a run "${runId}" already`)
    const run = newRun(runId, this.#date())
    const fields = decodeRunFields(initial, 'run')
    return this.#keep(this.#applied(run, { runId, mask: Object.keys(fields).filter(isUpdatable), fields }))
  }

  /** Throws `StatusError` (code 5) where there is none. */
  get(runId: string): StoredRun {
    const run = this.#runs.get(runId)
    if (run !== undefined) return run
    if (this.#createsRuns) return this.create(runId, {})
    throw new StatusError({ code: RPC_CODE.notFound, message: `run "${runId}" not found` })
  }

  /** Throws `StatusError`: code 5, and those of `applyUpdate`; nothing has changed then. */
  update(request: UpdateRequest): StoredRun {
    return this.#keep(this.#applied(this.get(request.runId), request))
  }

  #applied(run: StoredRun, request: UpdateRequest): StoredRun {
    return applyUpdate(run, request, {
      date: this.#date(),
      isClientKeyTaken: (clientKey) => this.#clientKeys.has(clientKey),
    })
  }

  #keep(run: StoredRun): StoredRun {
    this.#runs.set(run.runId, run)
    if (run.clientKey !== undefined) this.#clientKeys.set(run.clientKey, run.runId)
    return run
  }

  #date(): string {
    return new Date(this.#now()).toISOString()
  }
}
