/**
 * A turn: the right to send one request for a run, and what is pending at that moment. Every try of every kind begins
 * with one: permit (waited for in place, while the run goes on coalescing), then claim; both in one step where the slot is
 * free now.
 */

import type { FactEmitter } from '../events.js'
import type { Claim, ClaimReply } from '../pending/claim.js'
import type { Holder, PendingUpdates } from '../pending/pending-updates.js'
import type { Policy } from '../policy.js'
import type { ApiKey } from '../sift/api-key.js'
import type { Permit, Throttle } from '../throttle/throttle.js'
import { FlushEnded, MET_CLOSED_LANE } from './ending.js'

export interface Turn {
  readonly permit: Permit
  readonly claim: Claim
  /** On the monotonic clock: a request must have ended by then, so that the lease outlives it and its grace. */
  readonly deadline: number
}

export interface TurnTaker {
  readonly pending: PendingUpdates
  readonly throttle: Throttle
  readonly policy: Policy
  readonly apiKey: ApiKey
  readonly facts: FactEmitter
  /** Gives the lane its rate again. */
  setRate(): Promise<void>
  /** Aborted when the worker closes: who waits for a slot then gives its job back. */
  readonly stopping: AbortSignal
}

/**
 * Takes a turn.
 * @throws FlushEnded where there is none to be had now: superseded, leased, the lane closed, the worker closing, or
 * the run has to back off.
 */
export async function takeTurn(taker: TurnTaker, holder: Holder): Promise<Turn> {
  for (;;) {
    const turn = await tryTurn(taker, holder)
    if (turn) return turn
  }
}

/**
 * Undefined: the permit is void, or so much of the lease was gone when it came that nothing may be sent, or the lane had
 * lost its rate.
 */
async function tryTurn(taker: TurnTaker, holder: Holder): Promise<Turn | undefined> {
  const { pending, throttle, stopping, facts } = taker
  if (stopping.aborted) throw new FlushEnded({ kind: 'stopping' })
  const startedAt = performance.now()
  const reply = await pending.takeTurn(holder)
  if (reply.kind === 'no_rate') {
    await taker.setRate()
    return undefined
  }
  if (reply.kind !== 'claimed' && reply.kind !== 'granted') throw endingOf(reply)
  const { permit } = reply
  if (permit.waitMs > 0 && !(await waitFor(permit.waitMs, stopping))) {
    await giveBack(throttle, holder, permit)
    throw new FlushEnded({ kind: 'stopping' })
  }
  facts.emit('permit:taken', { runId: holder.runId, waitMs: permit.waitMs })
  return reply.kind === 'claimed'
    ? await begin(taker, holder, permit, reply.claim, startedAt)
    : await claimWith(taker, holder, permit)
}

async function claimWith(taker: TurnTaker, holder: Holder, permit: Permit): Promise<Turn | undefined> {
  const { pending, throttle, apiKey, facts } = taker
  if (permit.probe !== '' && permit.heldReason === 'unauthenticated' && (await apiKey.reload().catch(() => false))) {
    facts.emit('api-key:reloaded', {})
  }
  const startedAt = performance.now()
  const claim = await pending.claim(holder, permit)
  if (claim.kind === 'granted') return await begin(taker, holder, permit, claim, startedAt)
  await giveBack(throttle, holder, permit)
  if (claim.kind === 'void') return undefined
  throw endingOf(claim)
}

/**
 * @param startedAt From before the claim was sent: whatever it takes on its way is the lease's loss, never the next
 * owner's.
 */
async function begin(
  { throttle, policy }: TurnTaker,
  holder: Holder,
  permit: Permit,
  claim: Claim,
  startedAt: number,
): Promise<Turn | undefined> {
  const isInTime = performance.now() - startedAt <= policy.claimSlackMs
  if (isInTime && !claim.mustBackOff) {
    return { permit, claim, deadline: startedAt + policy.claimSlackMs + policy.requestTimeoutMs }
  }
  await giveBack(throttle, holder, permit)
  if (claim.mustBackOff) throw new FlushEnded({ kind: 'back_off', tries: claim.tries })
  return undefined
}

function endingOf(refusal: Extract<ClaimReply, { kind: 'superseded' | 'leased' | 'held' }>): FlushEnded {
  switch (refusal.kind) {
    case 'superseded':
      return new FlushEnded({ kind: 'superseded' })
    case 'leased':
      return new FlushEnded({ kind: 'leased', delayMs: refusal.remainingMs })
    case 'held':
      return new FlushEnded({ ...MET_CLOSED_LANE, remainingMs: refusal.remainingMs })
  }
}

/** A probe that sent nothing leaves the probe to the next. An ordinary permit that is not used is a slot wasted. */
export async function giveBack(throttle: Throttle, { runId }: Holder, permit: Permit): Promise<void> {
  if (permit.probe === '') return
  await throttle.report(runId, { kind: 'unspent', reason: '', message: '' }, permit)
}

/** False: it was aborted first. */
function waitFor(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isOver: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve(isOver)
    }
    const onAbort = () => end(false)
    // Up, never down: a slot must not be used before its time.
    const timer = setTimeout(() => end(true), Math.ceil(ms))
    signal.addEventListener('abort', onAbort)
  })
}
