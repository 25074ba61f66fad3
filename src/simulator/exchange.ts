import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Delays } from './delays.js'
import { ERROR_KINDS } from './error-kinds.js'
import { drawFate, type Fate } from './fate.js'
import type { Faults } from './faults.js'
import type { Gate } from './gate.js'
import { listRuns } from './list-runs.js'
import { jsonReply, type Reply, statusReply } from './reply.js'
import { entriesOf, jsonOf, readBody } from './request-body.js'
import type { OpenRequest, RequestContent, RequestLog } from './request-log.js'
import { type Route, routeOf } from './route.js'
import type { RunStore } from './run-store.js'
import { seededDraws } from './seeded-draws.js'
import { invalidArgument, StatusError } from './status.js'
import { decodeUpdateRequest } from './update-request.js'

/** What all exchanges of one simulator share. */
export interface Surroundings {
  readonly store: RunStore
  readonly log: RequestLog
  readonly gate: Gate
  readonly delays: Delays
  readonly seed: number
  /** Read anew for each request. */
  readonly faults: () => Faults
  readonly apiKey: () => string | undefined
}

/**
 * Takes requests, each on this way: arrived -> its body is there, so it is known which run it is about -> let pass or
 * turned away -> its fate is drawn -> applied or refused by the API -> answered, or cut off.
 */
export class Exchanges {
  readonly #around: Surroundings
  /** Requests so far of each run and method: with the seed, this names a request's draws. */
  readonly #numbers = new Map<string, number>()
  #patches = 0

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** Ends once the request is answered or cut off. */
  async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log, gate, faults, apiKey } = this.#around
    const method = request.method ?? ''
    const path = request.url ?? ''
    const open = log.arrive(method, path)
    response.on('close', () => log.finish(open, response.writableFinished ? response.statusCode : undefined))
    if (faults().down === 'unreachable') {
      log.blame(open, 'down')
      cut(response)
      return
    }
    const body = await readBody(request)
    if (body === undefined || open.isFinished) return
    const route = routeOf(method, path)
    log.identify(open, contentOf(route, body))
    const { arrivedAt, runId } = open.record
    const turnedAway = gate.turnAway(
      { authorization: request.headers.authorization, runId, arrivedAt },
      faults(),
      apiKey(),
    )
    if (turnedAway !== undefined) {
      if (turnedAway.fault !== undefined) log.blame(open, turnedAway.fault)
      answer(response, turnedAway.reply)
    } else if (route.kind === 'none') {
      answer(response, route.reply)
    } else {
      await this.#meetFate(open, route, response)
    }
  }

  async #meetFate(open: OpenRequest, route: CallRoute, response: ServerResponse): Promise<void> {
    const { log, delays } = this.#around
    const { end, latencyMs } = this.#drawFate(open, route)
    if (end.kind !== 'answered') log.blame(open, end.kind)
    if (end.kind === 'cutBefore') return cut(response)
    const isStopped = end.kind === 'error' && !end.isApplied
    const reply = isStopped ? undefined : await this.#perform(open, route)
    const delayMs = latencyMs + (end.kind === 'slow' ? end.delayMs : 0)
    if (delayMs > 0) await delays.wait(delayMs)
    if (end.kind === 'error') answer(response, ERROR_KINDS[end.error].reply)
    else if (end.kind === 'lostAnswer' || reply === undefined) cut(response)
    else if (end.kind === 'cutAnswer') answerHalf(response, reply)
    else answer(response, reply)
  }

  #drawFate({ record }: OpenRequest, route: CallRoute): Fate {
    const { faults, seed } = this.#around
    const name = `${record.method} ${record.runId ?? ''}`
    const number = (this.#numbers.get(name) ?? 0) + 1
    this.#numbers.set(name, number)
    if (route.kind === 'update') this.#patches += 1
    return drawFate(
      faults(),
      seededDraws(seed, `${name} ${number}`),
      route.kind === 'update' ? this.#patches : undefined,
    )
  }

  async #perform(open: OpenRequest, route: CallRoute): Promise<Reply> {
    const { store } = this.#around
    try {
      switch (route.kind) {
        case 'get':
          return jsonReply({ run: store.get(route.runId) })
        case 'list':
          return jsonReply(listRuns(store.runs, route.query))
        case 'update':
          return await this.#update(open)
      }
    } catch (error) {
      if (error instanceof StatusError) return statusReply(error.status)
      throw error
    }
  }

  async #update(open: OpenRequest): Promise<Reply> {
    const { store, log, delays, faults } = this.#around
    const { body } = open.record
    if (body === undefined) throw invalidArgument('the body is not JSON')
    const request = decodeUpdateRequest(body)
    const { applyLatencyMs, refuse } = faults()
    log.applyBegin(open)
    let isApplied = false
    try {
      if (applyLatencyMs > 0) await delays.wait(applyLatencyMs)
      const status = refuse?.(request.runId, request.mask, entriesOf(entriesOf(body).run))
      if (status !== undefined) {
        log.blame(open, 'refuse')
        throw new StatusError(status)
      }
      const run = store.update(request)
      isApplied = true
      return jsonReply({ run })
    } finally {
      log.applyEnd(open, isApplied)
    }
  }
}

type CallRoute = Exclude<Route, { kind: 'none' }>

function contentOf(route: Route, body: Buffer): RequestContent {
  if (route.kind === 'get') return { runId: route.runId, mask: undefined, body: undefined }
  if (route.kind !== 'update') return { runId: undefined, mask: undefined, body: undefined }
  const json = jsonOf(body)
  const { run, updateMask, update_mask: protoMask } = entriesOf(json)
  const { runId, run_id: protoRunId } = entriesOf(run)
  return { runId: textOf(runId ?? protoRunId), mask: textOf(updateMask ?? protoMask), body: json }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function answer(response: ServerResponse, reply: Reply): void {
  writeHead(response, reply)
  response.end(reply.body)
}

function answerHalf(response: ServerResponse, reply: Reply): void {
  writeHead(response, reply)
  response.write(reply.body.slice(0, reply.body.length / 2), () => cut(response))
}

function writeHead(response: ServerResponse, { status, contentType, body }: Reply): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
}

function cut(response: ServerResponse): void {
  response.destroy()
}
