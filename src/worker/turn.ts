/**
 * A turn: the right to send one request for a run, and what is pending at that moment. Every try of every kind begins
 * with one: permit (in place, while the run goes on coalescing), then claim.
 */

import type { FactEmitter } from '../events.js'
import type { Claim, Holder, PendingUpdates } from '../pending/pending-updates.js'
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
    const permit = await takePermit(taker, holder)
    const turn = await claimWith(taker, holder, permit)
    if (turn) return turn
  }
}

async function takePermit({ throttle, stopping, facts }: TurnTaker, holder: Holder): Promise<Permit> {
  if (stopping.aborted) throw new FlushEnded({ kind: 'stopping' })
  const reply = await throttle.takePermit(holder)
  switch (reply.kind) {
    case 'granted':
      break
    case 'superseded':
      throw new FlushEnded({ kind: 'superseded' })
    case 'leased':
      throw new FlushEnded({ kind: 'leased', delayMs: reply.remainingMs })
    case 'held':
      throw new FlushEnded(MET_CLOSED_LANE)
  }
  const { permit } = reply
  if (permit.waitMs > 0 && !(await waitFor(permit.waitMs, stopping))) {
    await giveBack(throttle, holder, permit)
    throw new FlushEnded({ kind: 'stopping' })
  }
  facts.emit('permit:taken', { runId: holder.runId, waitMs: permit.waitMs })
  return permit
}

/** Undefined: the permit is void, or so much of the lease was gone when it came that nothing may be sent. */
async function claimWith(taker: TurnTaker, holder: Holder, permit: Permit): Promise<Turn | undefined> {
  const { pending, throttle, policy, apiKey, facts } = taker
  if (permit.probe !== '' && permit.heldReason === 'unauthenticated' && (await apiKey.reload().catch(() => false))) {
    facts.emit('api-key:reloaded', {})
  }
  // From before the claim is sent: whatever it takes on its way is the lease's loss, never the next owner's.
  const startedAt = performance.now()
  const claim = await pending.claim(holder, permit)
  if (claim.kind === 'granted' && !claim.mustBackOff) {
    if (performance.now() - startedAt <= policy.claimSlackMs) {
      return { permit, claim, deadline: startedAt + policy.claimSlackMs + policy.requestTimeoutMs }
    }
    await giveBack(throttle, holder, permit)
    return undefined
  }
  await giveBack(throttle, holder, permit)
  switch (claim.kind) {
    case 'granted':
      throw new FlushEnded({ kind: 'back_off', tries: claim.tries })
    case 'superseded':
      throw new FlushEnded({ kind: 'superseded' })
    case 'leased':
      throw new FlushEnded({ kind: 'leased', delayMs: claim.remainingMs })
    case 'held':
      throw new FlushEnded(MET_CLOSED_LANE)
    case 'void':
      return undefined
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
