import { EventEmitter } from 'node:events'
import type { FaultName } from './faults.js'
import { InFlight } from './in-flight.js'
import { SlidingWindow } from './sliding-window.js'

/** One request, from its arrival on. It is filled in as the request goes on. Times in milliseconds since 1970. */
export interface RequestRecord {
  readonly arrivedAt: number
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly runId: string | undefined
  /** As it was sent. */
  readonly mask: string | undefined
  /** The JSON that was sent; undefined where it was none, or did not come whole. */
  readonly body: unknown
  /** The HTTP status of the whole answer; undefined as long as there is none, and for ever if the connection was cut. */
  readonly status: number | undefined
  /** Whether it has changed the run; this may come after `finishedAt`. */
  readonly applied: boolean
  /** What has decided the answer, if it was a fault. */
  readonly fault: FaultName | undefined
  /** When the answer was whole, or the connection gone. */
  readonly finishedAt: number | undefined
}

/** `request`: all of it is there, and nothing is done with it yet. `finished`: answered, or the connection is gone. */
export type SimulatorEvent = 'request' | 'applied' | 'finished'

/** Of all requests, also of those that the log no longer holds. */
export interface RequestCounters {
  readonly received: number
  readonly applied: number
  /** By HTTP status. */
  readonly answered: Readonly<Record<number, number>>
  /** Those whose connection ended before their answer did. */
  readonly unanswered: number
  readonly faults: Readonly<Partial<Record<FaultName, number>>>
}

/** What of a request is known once its body is there. */
export interface RequestContent {
  readonly runId: string | undefined
  readonly mask: string | undefined
  readonly body: unknown
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** A request that is going on. */
interface OpenRequest {
  readonly record: Writable<RequestRecord>
  readonly tick: number
  isInFlight: boolean
  isFinished: boolean
  isApplyPending: boolean
}

/**
 * Everything that was asked of the simulator. It holds the last `limit` requests; counters and peaks are of all.
 * A PATCH is in flight until it is finished and nothing of it is still to be applied.
 */
export class RequestLog {
  readonly inFlight = new InFlight()
  readonly #events = new EventEmitter<Record<SimulatorEvent, [RequestRecord]>>().setMaxListeners(0)
  readonly #limit: number
  readonly #now: () => number
  readonly #lastSecond = new SlidingWindow(1000)
  /** Up to twice the limit, so that dropping the old ones costs next to nothing. */
  #records: RequestRecord[] = []
  #peakPerSecond = 0
  #received = 0
  #applied = 0
  #unanswered = 0
  readonly #answered: Record<number, number> = {}
  readonly #faults: Partial<Record<FaultName, number>> = {}

  constructor(limit: number, now: () => number) {
    this.#limit = limit
    this.#now = now
  }

  get records(): readonly RequestRecord[] {
    return this.#records.slice(-this.#limit)
  }

  get counters(): RequestCounters {
    return {
      received: this.#received,
      applied: this.#applied,
      answered: { ...this.#answered },
      unanswered: this.#unanswered,
      faults: { ...this.#faults },
    }
  }

  get peakPerSecond(): number {
    return this.#peakPerSecond
  }

  on(event: SimulatorEvent, listener: (record: RequestRecord) => void): () => void {
    this.#events.on(event, listener)
    return () => this.#events.off(event, listener)
  }

  arrive(method: string, path: string): OpenRequest {
    const arrivedAt = this.#now()
    const record = {
      arrivedAt,
      method,
      path,
      runId: undefined,
      mask: undefined,
      body: undefined,
      status: undefined,
      applied: false,
      fault: undefined,
      finishedAt: undefined,
    }
    this.#received += 1
    this.#lastSecond.add(arrivedAt)
    this.#peakPerSecond = Math.max(this.#peakPerSecond, this.#lastSecond.count(arrivedAt))
    this.#records.push(record)
    if (this.#records.length >= this.#limit * 2) this.#records = this.#records.slice(-this.#limit)
    return { record, tick: this.inFlight.arrive(), isInFlight: false, isFinished: false, isApplyPending: false }
  }

  identify(open: OpenRequest, content: RequestContent): void {
    Object.assign(open.record, content)
    if (open.record.method === 'PATCH' && content.runId !== undefined) {
      open.isInFlight = true
      this.inFlight.enter(content.runId, open.tick)
    }
    this.#events.emit('request', open.record)
  }

  /** From here on the request is in flight until `applyEnd`, even if its connection goes. */
  applyBegin(open: OpenRequest): void {
    open.isApplyPending = true
  }

  applyEnd(open: OpenRequest, isApplied: boolean): void {
    open.isApplyPending = false
    if (isApplied) {
      open.record.applied = true
      this.#applied += 1
      this.#events.emit('applied', open.record)
    }
    this.#land(open)
  }

  blame(open: OpenRequest, fault: FaultName): void {
    open.record.fault = fault
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1
  }

  /** `status`: undefined where the connection ended before the answer did. */
  finish(open: OpenRequest, status: number | undefined): void {
    open.isFinished = true
    open.record.status = status
    open.record.finishedAt = this.#now()
    if (status === undefined) this.#unanswered += 1
    else this.#answered[status] = (this.#answered[status] ?? 0) + 1
    this.#land(open)
    this.#events.emit('finished', open.record)
  }

  #land({ record, isInFlight, isFinished, isApplyPending }: OpenRequest): void {
    const hasLanded = isInFlight && isFinished && !isApplyPending
    if (hasLanded && record.runId !== undefined) this.inFlight.leave(record.runId)
  }
}

export type { OpenRequest }
