import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Delays } from './delays.js'
import { Exchanges } from './exchange.js'
import { changeFaults, type Faults, NO_FAULTS } from './faults.js'
import { Gate } from './gate.js'
import { type RequestCounters, RequestLog, type RequestRecord, type SimulatorEvent } from './request-log.js'
import { RunStore } from './run-store.js'
import type { StoredRun } from './stored-run.js'
import type { RunFields } from './update-request.js'

const LOOPBACK = '127.0.0.1'
const DEFAULT_LOG_LIMIT = 100_000

export interface SimulatorOptions {
  /** 0, the default, is a free one. */
  readonly port?: number
  /** Loopback by default. A container needs another one, to be reached from its neighbours. */
  readonly host?: string
  /** The key that is asked for; any, by default, but there must be one. */
  readonly apiKey?: string
  /** A run is made when a PATCH or GET names it first. Off by default: such a run is not found. */
  readonly createRuns?: boolean
  /** What goes wrong from the start; nothing, by default. */
  readonly faults?: Partial<Faults>
  /** The same seed draws the same faults for the n-th PATCH of a run. */
  readonly seed?: number
  /** How many of the latest requests `requests` holds; 100,000 by default. */
  readonly requestLimit?: number
  /** Milliseconds since 1970; it must never go back. Delays are not on this clock. */
  readonly now?: () => number
}

/** A Sift API on this machine, that behaves as the real one is described, with faults on demand. */
export interface Simulator {
  /** The base URL, without a slash at its end. */
  readonly url: string
  readonly port: number
  readonly runs: ReadonlyMap<string, StoredRun>
  /** A copy, oldest first. */
  readonly requests: readonly RequestRecord[]
  readonly counters: RequestCounters
  /** Throws where there is such a run, or where the API would refuse `initial`. The name is the run's id by default. */
  createRun(runId: string, initial?: RunFields): StoredRun
  /** The most PATCHes of one run that were open at once: from arrival until answered or cut, and applied. */
  maxInFlightPerRun(): number
  /** The most requests of any kind that arrived within one second. */
  peakPerSecond(): number
  /** Changes the faults that are named, for all requests that come from now on. Throws `RangeError`. */
  setFaults(changes: Partial<Faults>): void
  /** Undefined takes any. */
  setApiKey(apiKey: string | undefined): void
  /** Listens; the function that it returns ends that. */
  on(event: SimulatorEvent, listener: (record: RequestRecord) => void): () => void
  /** The next such request, or the next one that `matches` takes. */
  next(event: SimulatorEvent, matches?: (record: RequestRecord) => boolean): Promise<RequestRecord>
  /** Cuts what is open and drops what is still to be applied or answered. */
  close(): Promise<void>
}

/** Rejects where the port is taken. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const now = options.now ?? monotonicNow
  const store = new RunStore(options.createRuns ?? false, now)
  const log = new RequestLog(options.requestLimit ?? DEFAULT_LOG_LIMIT, now)
  const delays = new Delays()
  let faults = changeFaults(NO_FAULTS, options.faults ?? {})
  let apiKey = options.apiKey
  const exchanges = new Exchanges({
    store,
    log,
    gate: new Gate(),
    delays,
    seed: options.seed ?? 0,
    faults: () => faults,
    apiKey: () => apiKey,
  })
  const server = createServer((request, response) => exchanges.take(request, response))
  const host = options.host ?? LOOPBACK
  const port = await listen(server, options.port ?? 0, host)

  return {
    url: `http://${host}:${port}`,
    port,
    runs: store.runs,
    get requests() {
      return log.records
    },
    get counters() {
      return log.counters
    },
    createRun: (runId, initial = {}) => store.create(runId, initial),
    maxInFlightPerRun: () => log.inFlight.most,
    peakPerSecond: () => log.peakPerSecond,
    setFaults: (changes) => {
      faults = changeFaults(faults, changes)
    },
    setApiKey: (changed) => {
      apiKey = changed
    },
    on: (event, listener) => log.on(event, listener),
    next: (event, matches = () => true) =>
      new Promise((resolve) => {
        const stop = log.on(event, (record) => {
          if (!matches(record)) return
          stop()
          resolve(record)
        })
      }),
    close: () => {
      delays.drop()
      return closeServer(server)
    },
  }
}

/** `Date.now` may leap and has no fractions; spacing and peaks need both right. */
function monotonicNow(): number {
  return performance.timeOrigin + performance.now()
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
