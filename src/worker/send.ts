/**
 * One PATCH of a run: a turn, the request, and what its answer means for the run and for the lane. Quick retries of a
 * transient failure happen here, each with a turn of its own; everything slower is the job's affair.
 */
import pRetry from 'p-retry'
import type { Entry } from '../pending/entry.js'
import { type EndedWrites, orders, type SiftAnswer } from '../pending/outcome.js'
import type { Holder, Released } from '../pending/pending-updates.js'
import type { Policy } from '../policy.js'
import type { FieldPath } from '../run/fields.js'
import type { Writes } from '../run/parse.js'
import { buildPatch, type PatchBody } from '../run/patch.js'
import type { CallOptions, Exchange, SiftClient } from '../sift/client.js'
import type { PermanentVerdict, RefusedVerdict } from '../sift/verdict.js'
import { traceRequest } from '../tracing/request-span.js'
import { FlushEnded, MET_CLOSED_LANE } from './ending.js'
import { giveBack, type Turn, type TurnTaker, takeTurn } from './turn.js'

export interface Sender extends TurnTaker {
  readonly sift: SiftClient
  /** Aborts the request: the job's lock was lost, or the worker can't wait for it any longer. */
  readonly abort: AbortSignal
  /** What a dashboard shows of the job: the body of its last request, and a line for each try. */
  show(body: PatchBody): Promise<void>
  log(line: string): Promise<void>
}

export type Sent =
  /** Applied, and settled; released, too, where all that was pending was sent: then the job is done. */
  | { readonly kind: 'applied'; readonly turn: Turn; readonly released?: Released }
  /** Nothing of what was asked for is pending, or something must be dealt with first. */
  | { readonly kind: 'nothing'; readonly turn: Turn }
  | {
      readonly kind: 'refused'
      readonly turn: Turn
      readonly entries: readonly Entry[]
      readonly verdict: PermanentVerdict
      /** Word for word, for those who wait for it; absent where it was too long. */
      readonly answer?: SiftAnswer
    }

/** Thrown inside a try, for p-retry. */
class TransientFailure extends Error {
  readonly verdict: RefusedVerdict
  /** Whether another try right away makes sense. */
  readonly isQuick: boolean
  /** Whether it may count towards the attempts. */
  readonly counts: boolean
  /** Redis's time when what was sent was claimed. */
  readonly triedUs: number

  constructor(verdict: RefusedVerdict, turn: Turn, { isQuick, counts }: { isQuick: boolean; counts: boolean }) {
    super(verdict.message)
    this.verdict = verdict
    this.isQuick = isQuick
    this.counts = counts
    this.triedUs = turn.claim.nowUs
  }
}

/**
 * Sends what is pending of these fields (all, without them).
 * @throws FlushEnded where the job can't go on now.
 */
export function sendPending(sender: Sender, holder: Holder, paths?: readonly FieldPath[]): Promise<Sent> {
  return withQuickRetries(sender, async () => {
    const turn = await takeTurn(sender, holder)
    const entries = turn.claim.entries.filter(({ path }) => paths === undefined || paths.includes(path))
    if (entries.length === 0 || mustDealFirst(turn, sender.policy)) {
      await giveBack(sender.throttle, holder, turn.permit)
      return { kind: 'nothing', turn }
    }
    return patch(sender, holder, turn, entries, paths === undefined)
  })
}

/**
 * What can't be read, and a run whose attempts are used up, is for the flush to deal with, before any request. Not so the
 * latter where it has the probe: in a storm of such runs nobody else may be there to open the lane.
 */
function mustDealFirst({ claim, permit }: Turn, { maxAttempts }: Policy): boolean {
  return claim.corrupt.length > 0 || (claim.failures >= maxAttempts && permit.probe === '')
}

/** The run as Sift has it. */
export function readRun(sender: Sender, holder: Holder): Promise<Readonly<Record<string, unknown>>> {
  return withQuickRetries(sender, async () => {
    const turn = await takeTurn(sender, holder)
    const { runId } = holder
    const reading = await traceRequest({ method: 'GET', runId, origins: [] }, () =>
      sender.sift.getRun(runId, callOptions(sender, turn)),
    )
    await sender.log(describe('GET', reading))
    if ('run' in reading) {
      sender.facts.emit('run:read', { runId, durationMs: reading.durationMs })
      await sender.throttle.report(holder.runId, { kind: 'answered', reason: '', message: '' }, turn.permit)
      return reading.run
    }
    const verdict = reading.verdict
    if (verdict.kind === 'permanent') {
      // Sift has refused to show a run that it has just refused to change. It may be there later.
      const { reason, message } = verdict
      const failure = { kind: 'transient', reason, message, durationMs: reading.durationMs, ambiguous: false } as const
      sender.facts.emit('request:failed', { runId, method: 'GET', ...failure })
      await sender.throttle.report(holder.runId, { kind: 'answered', reason: '', message: '' }, turn.permit)
      throw new TransientFailure(verdict, turn, { isQuick: false, counts: true })
    }
    return await fail(sender, holder, turn, 'GET', { ...reading, verdict })
  })
}

async function patch(
  sender: Sender,
  holder: Holder,
  turn: Turn,
  entries: readonly Entry[],
  isAll: boolean,
): Promise<Sent> {
  const { runId } = holder
  const { claim, permit } = turn
  const writes: { -readonly [Path in keyof Writes]: Writes[Path] } = {}
  for (const { path, value } of entries) Object.assign(writes, { [path]: value })
  const body = buildPatch(runId, writes)
  const startedAt = performance.now()
  const { updates, origins } = claim
  const traced = { method: 'PATCH', runId, origins, updates, updateMask: body.updateMask } as const
  const [exchange] = await Promise.all([
    traceRequest(traced, () => sender.sift.updateRun(body, callOptions(sender, turn))),
    sender.show(body),
  ])
  const { verdict, durationMs } = exchange
  const tell = sender.log(describe(`PATCH ${body.updateMask}`, exchange))

  if (verdict.kind === 'applied') {
    const outcome = {
      at: new Date().toISOString(),
      status: exchange.httpStatus,
      updateMask: body.updateMask,
      run: body.run,
    }
    const ended = claim.isAwaited ? appliedWrites(runId, entries, answerOf(exchange)) : undefined
    const applied = { writes: entries, outcome, probe: permit.probe, ended }
    const [released] = await Promise.all([
      isAll
        ? sender.pending.settleAndRelease(holder, applied, updates, origins)
        : sender.pending.settle(runId, applied),
      tell,
    ])
    const sinceClaimMs = performance.now() - startedAt
    const sinceArrivalMs = entries.map(({ arrivedUs }) => Math.max(0, (claim.nowUs - arrivedUs) / 1000 + sinceClaimMs))
    sender.facts.emit('patch:applied', {
      runId,
      updateMask: body.updateMask,
      updates,
      durationMs,
      sinceArrivalMs,
    })
    return { kind: 'applied', turn, ...(released && { released }) }
  }
  await tell
  if (verdict.kind !== 'permanent') return await fail(sender, holder, turn, 'PATCH', { ...exchange, verdict })

  const { reason, message } = verdict
  const { isStorm } = await sender.throttle.report(runId, verdict, permit)
  // Runs are created and updated at once: a missing one may be on its way. A clock set back makes the age negative: one
  // that is further from now than the grace, on either side, is not young.
  const isYoung = Math.abs(claim.nowUs - claim.openedUs) < sender.policy.notFoundGraceMs * 1000
  if (reason === 'run_not_found' && isYoung && !isStorm) {
    const failure = { kind: 'transient', reason, message, durationMs, ambiguous: false } as const
    sender.facts.emit('request:failed', { runId, method: 'PATCH', ...failure })
    throw new TransientFailure(verdict, turn, { isQuick: false, counts: false })
  }
  sender.facts.emit('patch:refused', { runId, updateMask: body.updateMask, reason, message, durationMs })
  if (isStorm) throw new FlushEnded({ ...MET_CLOSED_LANE, wasProbe: permit.probe !== '' })
  const answer = answerOf(exchange)
  return { kind: 'refused', turn, entries, verdict, ...(answer && { answer }) }
}

/** Tells the lane, and ends the try. */
async function fail(
  sender: Sender,
  holder: Holder,
  turn: Turn,
  method: 'GET' | 'PATCH',
  { verdict, durationMs }: Exchange<RefusedVerdict>,
): Promise<never> {
  const { kind, reason, message } = verdict
  if (kind === 'permanent') throw new TypeError('a permanent answer is no failure of the try')
  const ambiguous = verdict.kind === 'transient' && verdict.ambiguous
  const waitMs = verdict.kind === 'held' ? undefined : verdict.waitMs
  sender.facts.emit('request:failed', { runId: holder.runId, method, kind, reason, message, durationMs, ambiguous })
  if (isOurOwn(sender, verdict)) {
    await giveBack(sender.throttle, holder, turn.permit)
    throw new TransientFailure(verdict, turn, { isQuick: false, counts: false })
  }
  await sender.throttle.report(holder.runId, { kind, reason, message, waitMs }, turn.permit)
  if (verdict.kind === 'transient' && turn.permit.probe === '') {
    throw new TransientFailure(verdict, turn, { isQuick: !ambiguous && waitMs === undefined, counts: true })
  }
  // The hold spaces the probes, so a probe's run needs no backoff of its own, and is at hand when the lane opens.
  throw new FlushEnded({
    kind: 'held',
    failure: verdict.kind === 'held' ? 'held' : 'none',
    restMs: ambiguous ? sender.policy.ambiguityGraceMs : 0,
    wasProbe: turn.permit.probe !== '',
    tried: { verdict, triedUs: turn.claim.nowUs },
  })
}

/** We gave the request up (the lock was lost, the worker can't wait any longer): that says nothing of Sift, nor of the run. */
function isOurOwn({ abort }: Sender, { reason }: RefusedVerdict): boolean {
  return abort.aborted && (reason === 'connection_cut' || reason === 'connection_failed')
}

async function withQuickRetries<Result>(sender: Sender, run: () => Promise<Result>): Promise<Result> {
  try {
    return await pRetry(run, {
      retries: sender.policy.quickRetries,
      minTimeout: sender.policy.quickRetryMs,
      factor: 3,
      randomize: true,
      // Anything else is an ending, or a bug of ours: never tried again as if the network had failed.
      shouldRetry: ({ error }) => error instanceof TransientFailure && error.isQuick && !sender.stopping.aborted,
    })
  } catch (error) {
    if (error instanceof TransientFailure) {
      const { verdict, counts, triedUs } = error
      throw new FlushEnded({ kind: 'failed', tried: { verdict, triedUs }, counts })
    }
    throw error
  }
}

function appliedWrites(runId: string, entries: readonly Entry[], answer: SiftAnswer | undefined): EndedWrites {
  return { runId, outcome: 'applied', writes: orders(entries), message: 'applied', ...(answer && { answer }) }
}

function answerOf({ httpStatus, responseBody }: Exchange): SiftAnswer | undefined {
  return httpStatus === undefined || responseBody === undefined ? undefined : { status: httpStatus, body: responseBody }
}

function callOptions({ policy, abort }: Sender, { deadline }: Turn): CallOptions {
  return { signal: abort, timeoutMs: Math.min(policy.requestTimeoutMs, deadline - performance.now()) }
}

function describe(request: string, { verdict, httpStatus, durationMs }: Exchange): string {
  const answer = verdict.kind === 'applied' ? 'applied' : `${verdict.reason}: ${verdict.message}`
  return `${new Date().toISOString()} ${request} -> ${httpStatus ?? 'no answer'} ${answer} (${Math.round(durationMs)} ms)`
}
