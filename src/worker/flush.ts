/**
 * The flush of one run, from its first turn until nothing of what it met is pending any more:
 *
 *  1. Send all that is pending as one PATCH. Applied: done.
 *  2. Refused for good: find the guilty fields by halves. Each part is sent as a PATCH of its own; what is applied is
 *     settled at once, and a field becomes a dead letter only by the answer to a mask of that field alone.
 *  3. Not so where the answer speaks of the run (denied, missing): all its fields go at once.
 *  4. A refused client key: an earlier PATCH whose answer got lost may have set it, so the run is read before judging.
 *
 * A crash anywhere starts again from what is pending: nothing lost, nothing recorded twice.
 */

import type { DeadLetterReason } from '../dead-letters/dead-letter.js'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import type { Claim } from '../pending/claim.js'
import type { Entry } from '../pending/entry.js'
import { type EndedWrites, orders, type SiftAnswer } from '../pending/outcome.js'
import type { Holder, Released } from '../pending/pending-updates.js'
import type { PermanentVerdict } from '../sift/verdict.js'
import { FlushEnded, MET_CLOSED_LANE } from './ending.js'
import { halves } from './halves.js'
import { readRun, type Sender, type Sent, sendPending } from './send.js'
import type { Turn } from './turn.js'

export interface Flusher extends Sender {
  readonly deadLetters: DeadLetters
  /** The lines logged for this job so far, by this call or earlier ones: each try with its time. */
  tries(): Promise<readonly string[]>
}

type Refused = Extract<Sent, { kind: 'refused' }>

/** The answers to a client key that may mean that the run has one already. */
const KEY_MAY_BE_SET = new Set([3, 6, 9])

/** A client key that is set, or taken by another run: as many of them as there are make no storm. */
const SAYS_NOTHING_OF_OTHER_RUNS = new Set<DeadLetterReason>(['client_key_conflict', 'already_exists'])

/** Why a field is condemned: an answer, or a finding of ours. */
interface Cause {
  readonly reason: DeadLetterReason
  readonly message: string
  readonly httpStatus?: number | undefined
  readonly code?: number | undefined
  readonly heldClientKey?: string
  /** Word for word, where there was one. */
  readonly answer?: SiftAnswer | undefined
}

export class Flush {
  readonly #flusher: Flusher
  readonly #holder: Holder
  /** The run is read once a job: what it said holds for all of the search. */
  #hasReadRun = false
  /** What it was given to deal with, for the release. */
  #handedOut: Pick<Claim, 'updates' | 'origins'> = { updates: 0, origins: [] }
  #isAwaited = false

  constructor(flusher: Flusher, holder: Holder) {
    this.#flusher = flusher
    this.#holder = holder
  }

  /**
   * Ends with the release of the run.
   * @throws FlushEnded where the job can't go on now.
   */
  async run(): Promise<Released> {
    const sent = await this.#send()
    if (sent.kind === 'applied' && sent.released) return sent.released
    if (sent.kind === 'refused') await this.#isolate(sent)
    if (sent.kind === 'nothing') await this.#giveUpExhausted(sent.turn)
    const { updates, origins } = this.#handedOut
    return await this.#flusher.pending.release(this.#holder, updates, origins)
  }

  async #send(paths?: readonly Entry['path'][]): Promise<Sent> {
    for (;;) {
      const sent = await sendPending(this.#flusher, this.#holder, paths)
      const { corrupt, updates, origins, isAwaited } = sent.turn.claim
      this.#handedOut = { updates, origins }
      this.#isAwaited = isAwaited
      if (sent.kind !== 'nothing' || corrupt.length === 0) return sent
      for (const entry of corrupt) await this.#setCorruptAside(entry)
    }
  }

  /** What has arrived since the last try is left for attempts of its own: maybe it is what mends the run. */
  async #giveUpExhausted({ claim }: Turn): Promise<void> {
    const tried = claim.entries.filter(({ arrivedUs }) => claim.triedUs === null || arrivedUs <= claim.triedUs)
    if (tried.length === 0) return
    const last = readTrouble(claim.trouble)
    await this.#condemn(tried, {
      ...last,
      reason: 'attempts_exhausted',
      message: `Tried ${claim.failures} times while other runs were applied. The last time: ${last.message}`,
    })
  }

  async #isolate({ entries, verdict, turn, answer }: Refused): Promise<void> {
    if (verdict.reason === 'permission_denied' || verdict.reason === 'run_not_found') {
      await this.#condemn(turn.claim.entries, { ...verdict, answer })
      return
    }
    const clientKey = entries.find(({ path }) => path === 'clientKey')
    if (clientKey && !this.#hasReadRun && KEY_MAY_BE_SET.has(verdict.code ?? codeOf(verdict))) {
      if (await this.#judgeClientKey(clientKey, { ...verdict, answer })) {
        await this.#sendPart(entries.filter((entry) => entry !== clientKey))
        return
      }
    }
    if (entries.length === 1) {
      await this.#condemn(entries, { ...verdict, answer })
      return
    }
    for (const half of halves(entries)) await this.#sendPart(half)
  }

  async #sendPart(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return
    const sent = await this.#send(entries.map(({ path }) => path))
    if (sent.kind === 'refused') await this.#isolate(sent)
  }

  /** Asks Sift which key the run has. Returns whether that has settled the matter. */
  async #judgeClientKey(entry: Entry, cause: Cause): Promise<boolean> {
    this.#hasReadRun = true
    const run = await readRun(this.#flusher, this.#holder)
    const held = run.clientKey
    if (typeof held !== 'string' || held === '') return false
    if (held === entry.value) {
      const outcome = {
        at: new Date().toISOString(),
        updateMask: 'clientKey',
        message: 'the run has this client key already',
      }
      const answer = { status: 200, body: JSON.stringify({ run }) }
      const ended = this.#ended('applied', [entry], outcome.message, answer)
      await this.#flusher.pending.settle(this.#holder.runId, { writes: [entry], outcome, probe: '', ended })
      return true
    }
    await this.#condemn([entry], { ...cause, reason: 'client_key_conflict', heldClientKey: held })
    return true
  }

  async #condemn(entries: readonly Entry[], cause: Cause): Promise<void> {
    const { runId } = this.#holder
    const { throttle, deadLetters, pending, facts } = this.#flusher
    if (
      !SAYS_NOTHING_OF_OTHER_RUNS.has(cause.reason) &&
      !(await throttle.mayRecord(runId, cause.reason, cause.message))
    ) {
      throw new FlushEnded(MET_CLOSED_LANE)
    }
    const letter = await deadLetters.record({ runId, writes: entries, ...cause, tries: await this.#flusher.tries() })
    const { id, updateMask, reason, message, deadLetteredAt } = letter
    const outcome = { at: deadLetteredAt, updateMask, reason, message, deadLetter: id }
    await pending.setAside(runId, entries, outcome, this.#ended('refused', entries, message, cause.answer))
    facts.emit('dead-letter:recorded', { id, runId, updateMask, reason, message })
  }

  /** What those who wait for the writes are told; undefined: nobody does. */
  #ended(
    outcome: EndedWrites['outcome'],
    entries: readonly Entry[],
    message: string,
    answer: SiftAnswer | undefined,
  ): EndedWrites | undefined {
    if (!this.#isAwaited) return undefined
    return { runId: this.#holder.runId, outcome, writes: orders(entries), message, ...(answer && { answer }) }
  }

  async #setCorruptAside(corrupt: { path: string; stamp: string; json: string }): Promise<void> {
    const { runId } = this.#holder
    const { deadLetters, pending, facts } = this.#flusher
    const letter = await deadLetters.record({
      runId,
      writes: [],
      reason: 'corrupt_entry',
      message: `the pending entry of ${corrupt.path} can't be read: it was edited by hand, or is from another version`,
      tries: await this.#flusher.tries(),
      raw: { [`stamp:${corrupt.path}`]: corrupt.stamp, [`value:${corrupt.path}`]: corrupt.json },
    })
    const { id, updateMask, reason, message, deadLetteredAt } = letter
    await pending.setAside(runId, [corrupt], { at: deadLetteredAt, reason, message, deadLetter: id })
    facts.emit('dead-letter:recorded', { id, runId, updateMask, reason, message })
  }
}

/** An answer without a readable body goes by its status: a bare 409 stands for ALREADY_EXISTS, a bare 400 for 3. */
function codeOf({ reason }: PermanentVerdict): number {
  return reason === 'already_exists' ? 6 : reason === 'invalid_argument' ? 3 : 0
}

/** What went wrong last, as the job that met it has left it. */
function readTrouble(json: string | null): { message: string; httpStatus?: number; code?: number } {
  const none = { message: 'no answer is known' }
  if (json === null) return none
  try {
    const trouble = JSON.parse(json) as { message?: unknown; httpStatus?: unknown; code?: unknown }
    return {
      message: typeof trouble.message === 'string' ? trouble.message : none.message,
      ...(typeof trouble.httpStatus === 'number' && { httpStatus: trouble.httpStatus }),
      ...(typeof trouble.code === 'number' && { code: trouble.code }),
    }
  } catch {
    return none
  }
}
