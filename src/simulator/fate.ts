import { ERROR_KINDS, type ErrorKind } from './error-kinds.js'
import type { Faults } from './faults.js'

/** What becomes of one request that has come as far as the API. */
export interface Fate {
  readonly end:
    | { readonly kind: 'cutBefore' | 'lostAnswer' | 'cutAnswer' | 'answered' }
    | { readonly kind: 'error'; readonly error: ErrorKind; readonly isApplied: boolean }
    | { readonly kind: 'slow'; readonly delayMs: number }
  /** From the applying to the answer. */
  readonly latencyMs: number
}

/**
 * Decides by chance. Each fault has its own draw, made whether or not its rate is 0, so that a change of one rate moves
 * no other. `patchNumber` counts all PATCHes from 1; undefined for a request that is none.
 */
export function drawFate(faults: Faults, draw: () => number, patchNumber: number | undefined): Fate {
  const [cutBefore, error, errorApplied, lostAnswer, cutAnswer, jitter] = [
    draw(),
    draw(),
    draw(),
    draw(),
    draw(),
    draw(),
  ]
  const latencyMs = faults.latencyMs + jitter * faults.latencyJitterMs
  if (cutBefore < faults.cutBeforeRate) return { end: { kind: 'cutBefore' }, latencyMs }
  const kind = chooseError(faults.errors, error)
  if (kind !== undefined) {
    const isApplied = ERROR_KINDS[kind].isAmbiguous && errorApplied < 0.5
    return { end: { kind: 'error', error: kind, isApplied }, latencyMs }
  }
  if (lostAnswer < faults.lostAnswerRate) return { end: { kind: 'lostAnswer' }, latencyMs }
  if (cutAnswer < faults.cutAnswerRate) return { end: { kind: 'cutAnswer' }, latencyMs }
  const { slow } = faults
  if (slow !== undefined && patchNumber !== undefined && patchNumber % slow.every === 0) {
    return { end: { kind: 'slow', delayMs: slow.delayMs }, latencyMs }
  }
  return { end: { kind: 'answered' }, latencyMs }
}

function chooseError(errors: Faults['errors'], draw: number): ErrorKind | undefined {
  let below = 0
  for (const [kind, share] of Object.entries(errors)) {
    below += share
    if (draw < below) return isErrorKind(kind) ? kind : undefined
  }
  return undefined
}

function isErrorKind(kind: string | ErrorKind): kind is ErrorKind {
  return Object.hasOwn(ERROR_KINDS, kind)
}
