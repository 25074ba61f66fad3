/** What a try of a run begins with, as the scripts tell it: a turn, its permit and its claim, or why there is none now. */
import { type Permit, remainingMs } from '../throttle/throttle.js'
import { type CorruptEntry, type Entry, readEntries } from './entry.js'

export interface Claim {
  readonly kind: 'granted'
  readonly entries: readonly Entry[]
  readonly corrupt: readonly CorruptEntry[]
  /** How many updates were merged into what is handed out. */
  readonly updates: number
  /** Where they came from, for tracing; the newest few. */
  readonly origins: readonly string[]
  /** Redis's time, and when the generation was opened. */
  readonly nowUs: number
  readonly openedUs: number
  /** Failures that count towards the attempts, and all tries that failed, since the run was last applied. */
  readonly failures: number
  readonly tries: number
  /** What went wrong last, as JSON, since the generation was opened. */
  readonly trouble: string | null
  /** When what was sent by the last try that failed was claimed; null where none is known. */
  readonly triedUs: number | null
  /** Somebody waits for what becomes of some of it. */
  readonly isAwaited: boolean
  /** A held answer of this run has just been counted as its own failure: it backs off, and sends nothing now. */
  readonly mustBackOff: boolean
}

export type ClaimReply =
  | Claim
  | { readonly kind: 'superseded' }
  | { readonly kind: 'leased'; readonly remainingMs: number }
  | { readonly kind: 'held'; readonly remainingMs: number | null; readonly reason: string }
  | { readonly kind: 'void' }

/** `claimed`: with its claim. `granted`: a permit whose slot is still to come, or a probe's; the claim comes after it. */
export type TurnReply =
  | { readonly kind: 'claimed'; readonly permit: Permit; readonly claim: Claim }
  | { readonly kind: 'granted'; readonly permit: Permit }
  /** Redis has lost the lane's rate: it must be set again before anything is sent. */
  | { readonly kind: 'no_rate' }
  | Extract<ClaimReply, { kind: 'superseded' | 'leased' | 'held' }>

export function readTurn([kind, ...rest]: readonly string[]): TurnReply {
  if (kind === 'claimed') {
    const [epoch, ...claim] = rest
    const permit = { waitMs: 0, epoch: Number(epoch), probe: '', heldReason: '' }
    return { kind, permit, claim: readClaim(claim) }
  }
  if (kind === 'granted') {
    const [waitUs, epoch, probe = '', heldReason = ''] = rest
    return { kind, permit: { waitMs: Number(waitUs) / 1000, epoch: Number(epoch), probe, heldReason } }
  }
  if (kind === 'no_rate') return { kind }
  return readRefusal(kind, rest)
}

export function readClaimReply([kind, ...rest]: readonly string[]): ClaimReply {
  if (kind === 'granted') return readClaim(rest)
  return kind === 'void' ? { kind } : readRefusal(kind, rest)
}

function readClaim(reply: readonly string[]): Claim {
  const [nowUs, heldIsCounted, ...flat] = reply
  const fields = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i] ?? '', flat[i + 1] ?? '')
  const number = (name: string): number => Number(fields.get(name) ?? 0) || 0
  return {
    kind: 'granted',
    ...readEntries(fields),
    updates: number('updates'),
    origins: fields.get('origins')?.split(' ') ?? [],
    nowUs: Number(nowUs),
    openedUs: number('openedUs'),
    failures: number('failures'),
    tries: number('tries'),
    trouble: fields.get('trouble') ?? null,
    triedUs: number('triedUs') || null,
    isAwaited: fields.has('awaited'),
    mustBackOff: Number(heldIsCounted) === 1,
  }
}

function readRefusal(kind: string | undefined, [remainingUs, reason = '']: readonly string[]) {
  switch (kind) {
    case 'leased':
      return { kind, remainingMs: Number(remainingUs) / 1000 } as const
    case 'held':
      return { kind, remainingMs: remainingMs(remainingUs), reason } as const
    default:
      return { kind: 'superseded' } as const
  }
}
