import type { FaultName, Faults, RateLimit } from './faults.js'
import { EMPTY_UNAUTHORIZED, htmlReply, type Reply, statusReply } from './reply.js'
import { SlidingWindow } from './sliding-window.js'
import { RPC_CODE } from './status.js'

export interface Arrival {
  /** The header; undefined where there is none. */
  readonly authorization: string | undefined
  readonly runId: string | undefined
  /** Milliseconds. */
  readonly arrivedAt: number
}

/** `fault`: undefined where the client is to blame. */
export interface TurnedAway {
  readonly reply: Reply
  readonly fault: FaultName | undefined
}

/** Stands before the API: whoever is turned away here has changed nothing. */
export class Gate {
  #limit: RateLimit | undefined
  #admitted = new SlidingWindow(1000)

  /** `apiKey`: undefined takes any. Gives undefined where the request may pass. */
  turnAway(arrival: Arrival, faults: Faults, apiKey: string | undefined): TurnedAway | undefined {
    const { runId } = arrival
    if (faults.down !== undefined) return { reply: UNAVAILABLE, fault: 'down' }
    if (faults.html !== undefined && isHit(faults.html.runs, runId)) {
      return { reply: htmlReply(faults.html.status), fault: 'html' }
    }
    if (faults.revoked) return { reply: EMPTY_UNAUTHORIZED, fault: 'revoked' }
    if (!isAuthorized(arrival.authorization, apiKey)) return { reply: UNAUTHENTICATED, fault: undefined }
    const waitMs = this.#waitMs(arrival.arrivedAt, faults.rateLimit)
    if (waitMs > 0) return { reply: rateLimited(waitMs), fault: 'rateLimit' }
    if (runId !== undefined && faults.deny.has(runId)) return { reply: denied(runId), fault: 'deny' }
    return undefined
  }

  #waitMs(now: number, limit: RateLimit | undefined): number {
    if (limit !== this.#limit) {
      this.#limit = limit
      this.#admitted = new SlidingWindow(limit?.durationMs ?? 0)
    }
    if (limit === undefined) return 0
    if (this.#admitted.count(now) >= limit.max) return this.#admitted.nextAgeOutMs(now) || limit.durationMs
    this.#admitted.add(now)
    return 0
  }
}

const UNAVAILABLE = statusReply({ code: RPC_CODE.unavailable, message: 'the service is unavailable' })

const UNAUTHENTICATED = statusReply({ code: RPC_CODE.unauthenticated, message: 'the API key is missing or invalid' })

function denied(runId: string): Reply {
  return statusReply({ code: RPC_CODE.permissionDenied, message: `permission denied for run "${runId}"` })
}

/** The wait is in the prose and nowhere else, as with the real API: no header, no details. */
function rateLimited(waitMs: number): Reply {
  const seconds = Math.ceil(waitMs / 1000)
  const message = `rate limit exceeded, retry after ${seconds} ${seconds === 1 ? 'second' : 'seconds'}`
  return statusReply({ code: RPC_CODE.resourceExhausted, message })
}

function isHit(runs: 'all' | ReadonlySet<string>, runId: string | undefined): boolean {
  return runs === 'all' || (runId !== undefined && runs.has(runId))
}

function isAuthorized(header: string | undefined, apiKey: string | undefined): boolean {
  const [, token] = /^Bearer +(\S+)$/i.exec(header ?? '') ?? []
  return token !== undefined && (apiKey === undefined || token === apiKey)
}
