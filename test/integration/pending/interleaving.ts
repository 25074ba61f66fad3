import { expect } from 'vitest'
import { type Entry, parseStamp, toWrites } from '../../../src/pending/entry.js'
import type { Failure, Holder } from '../../../src/pending/pending-updates.js'
import { leaseMs } from '../../../src/policy.js'
import { type AcknowledgedUpdate, Oracle } from '../../../src/run/oracle.js'
import { FakeSift } from './fake-sift.js'
import type { Step } from './interleaving-steps.js'
import { type Letter, Letters, orderOf } from './letters.js'
import { FIRST_EPOCH, START_US, type TestLane } from './test-lane.js'

const LONG_MS = 7 * 86_400_000

/** One call of a processor, and what it knows that Redis does not know yet. */
interface Call {
  readonly holder: Holder
  entries: readonly Entry[]
  updates: number
  /** True time: nothing is sent after the deadline, and nothing lands after the lease. */
  deadlineMs: number
  leaseEndsMs: number
  isAmbiguous: boolean
  applied: Entry[]
  refused: Entry[]
  recorded: Entry[]
}

/**
 * Takes steps in any order against a real Redis and a fake Sift, as producers, workers and operators would; finishes by
 * sending all that is left; and holds the outcome against the oracle. Checks on the way that no two requests of one run
 * are open at once.
 */
export class Interleaving {
  readonly #lane: TestLane
  readonly #sift = new FakeSift()
  readonly #updates: AcknowledgedUpdate[] = []
  readonly #runIds = new Set<string>()
  readonly #jobs = new Map<string, string[]>()
  readonly #letters = new Letters()
  readonly #calls = new Map<number, Call>()
  #inFlight: { readonly runId: string; readonly entries: readonly Entry[]; readonly call: Call }[] = []
  #owners = 0
  #requests = 0
  /** True time, which goes on where Redis's clock is set back. */
  #elapsedMs = 0

  constructor(lane: TestLane) {
    this.#lane = lane
  }

  /** How many requests were sent. */
  get requests(): number {
    return this.#requests
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'merge':
        return await this.#merge(step)
      case 'claim':
        return await this.#claim(step.worker, `run-${step.run}`, step.job)
      case 'redrive': {
        const letter = this.#letters.all[step.letter]
        if (letter) await this.#redrive(letter, step.crashes)
        return
      }
      case 'reopen':
        return await this.#reopen(`run-${step.run}`)
      case 'land': {
        const landed = this.#inFlight.shift()
        if (landed) this.#sift.patch(landed.runId, landed.entries)
        return
      }
      case 'mend':
        this.#sift.isMended = true
        return
      case 'pass':
        return this.#pass(step.ms)
      case 'setClockBack':
        return this.#lane.advanceMs(-step.ms)
      case 'crash':
        this.#calls.delete(step.worker)
        return
    }
    const call = this.#calls.get(step.worker)
    if (!call) return
    switch (step.do) {
      case 'send':
        return this.#send(call, chosen(call.entries, step.fields), step.answer)
      case 'settle':
        return await this.#settle(call)
      case 'record':
        return this.#record(call)
      case 'setAside':
        return await this.#setAside(call)
      case 'defer':
        await this.#defer(call, step.failure)
        break
      case 'release':
        if (call.isAmbiguous) return
        await this.#release(call)
    }
    this.#calls.delete(step.worker)
  }

  /** All that is pending is sent, and letters are redriven where Sift has been mended: then each run is as it must be. */
  async finish(): Promise<void> {
    await this.#flushAll()
    for (const letter of this.#letters.all) {
      if (this.#sift.isMended || this.#letters.isCutOff(letter)) await this.#redrive(letter, false)
    }
    await this.#flushAll()
    for (const runId of this.#runIds) expect(await this.#lane.pendingHash(runId)).toEqual({})
    expect(await this.#lane.redis.zcard(this.#lane.lane.index)).toBe(0)
    const oracle = new Oracle()
    for (const update of this.#updates) oracle.accept(update)
    for (const { runId, write } of this.#letters.refused) {
      oracle.refuse({ runId, path: write.path, sequence: orderOf(write).sequence })
    }
    expect(oracle.compare(this.#sift.runs)).toEqual([])
  }

  async #merge({ run, writes, observed, tie }: Step & { do: 'merge' }): Promise<void> {
    const runId = `run-${run}`
    this.#runIds.add(runId)
    const observedAt = observed !== undefined && { observedAtUs: BigInt(START_US + observed) }
    const [merged] = await this.#lane.merge([{ runId, writes, tie, ...observedAt }])
    const order = parseStamp(merged?.stamp ?? '')
    if (!merged || !order) throw new Error(`the merge of ${runId} was ${merged?.status}`)
    const { staleFields, conflictFields, stamp } = merged
    this.#updates.push({ runId, writes, ...order, staleFields, conflictFields })
    if (merged.addJob) this.#addJob(runId, merged.generation ?? '')
    for (const write of toWrites(writes)) {
      if (!conflictFields.includes(write.path)) continue
      this.#letters.record({ runId, write: { ...write, stamp }, wasInConflict: true })
    }
  }

  async #claim(worker: number, runId: string, job: number): Promise<void> {
    const generation = this.#jobs.get(runId)?.at(-1 - job)
    if (generation === undefined) return
    const before = this.#calls.get(worker)
    const isSameCall = before?.holder.runId === runId && before.holder.generation === generation
    if (before && (!isSameCall || before.isAmbiguous)) return
    const holder = before?.holder ?? { runId, generation, owner: `owner ${++this.#owners}` }
    const claim = await this.#lane.pending.claim(holder, FIRST_EPOCH)
    if (claim.kind !== 'granted') return
    const { policy } = this.#lane
    this.#calls.set(worker, {
      holder,
      entries: claim.entries,
      updates: claim.updates,
      deadlineMs: this.#elapsedMs + policy.claimSlackMs + policy.requestTimeoutMs,
      leaseEndsMs: this.#elapsedMs + leaseMs(policy),
      isAmbiguous: false,
      applied: before?.applied ?? [],
      refused: before?.refused ?? [],
      recorded: before?.recorded ?? [],
    })
  }

  #send(call: Call, entries: readonly Entry[], answer: 'told' | 'lost' | 'late'): void {
    const { runId } = call.holder
    if (entries.length === 0 || call.isAmbiguous || this.#elapsedMs >= call.deadlineMs) return
    this.#requests++
    expect(this.#inFlight.filter((request) => request.runId === runId)).toEqual([])
    if (answer === 'late') {
      call.isAmbiguous = true
      this.#inFlight.push({ runId, entries, call })
      return
    }
    const isApplied = this.#sift.patch(runId, entries)
    if (answer === 'lost') call.isAmbiguous = true
    else if (isApplied) call.applied.push(...entries)
    else if (entries.length === 1) call.refused.push(...entries)
  }

  async #settle(call: Call): Promise<void> {
    await this.#lane.settle(call.holder.runId, call.applied)
    call.applied = []
  }

  #record(call: Call): void {
    const { runId } = call.holder
    for (const write of call.refused) this.#letters.record({ runId, write, wasInConflict: false })
    call.recorded.push(...call.refused)
    call.refused = []
  }

  async #setAside(call: Call): Promise<void> {
    await this.#lane.pending.setAside(call.holder.runId, call.recorded, { message: 'refused' })
    call.recorded = []
  }

  async #defer(call: Call, failure: Failure): Promise<void> {
    const graceMs = call.isAmbiguous ? this.#lane.policy.ambiguityGraceMs : 0
    await this.#lane.pending.defer(call.holder, { failure, restMs: graceMs })
    call.leaseEndsMs = Math.min(call.leaseEndsMs, this.#elapsedMs + graceMs)
  }

  async #release(call: Call): Promise<void> {
    const released = await this.#lane.pending.release(call.holder, call.updates)
    if (released.kind === 'opened') this.#addJob(call.holder.runId, released.generation)
  }

  async #redrive(letter: Letter, crashes: boolean): Promise<void> {
    const { runId, write } = letter
    const redriven = await this.#lane.pending.redrive(runId, [write])
    if (redriven.addJob) this.#addJob(runId, redriven.generation ?? '')
    const { acceptedFields, conflictFields } = redriven
    if (letter.wasInConflict && acceptedFields.length > 0) {
      const writes = { [write.path]: JSON.parse(write.json) }
      this.#updates.push({ runId, writes, ...orderOf(write), staleFields: [], conflictFields: [] })
    }
    if (write.rule === 'first' && acceptedFields.length > 0) {
      const pending = parseStamp((await this.#lane.pendingHash(runId))['stamp:clientKey'] ?? '')
      if (pending && pending.sequence !== orderOf(write).sequence) this.#letters.join(letter)
    }
    if (crashes) this.#letters.cutOff(letter)
    else if (conflictFields.length === 0) this.#letters.remove(letter)
  }

  async #reopen(runId: string): Promise<void> {
    const opened = await this.#lane.pending.reopen(runId, this.#jobs.get(runId)?.at(-1) ?? null)
    if (opened !== null) this.#addJob(runId, opened)
  }

  /** Whoever was at work is gone, and its lease with it, however often the clock was set back. */
  async #flushAll(): Promise<void> {
    this.#pass(LONG_MS)
    this.#calls.clear()
    for (const runId of this.#runIds) await this.#flush(runId)
  }

  /** One worker does all there is to do for a run, as it would with nobody else around. */
  async #flush(runId: string): Promise<void> {
    await this.#claim(0, runId, 0)
    const call = this.#calls.get(0)
    if (!call) return
    for (const entry of call.entries) this.#send(call, [entry], 'told')
    this.#record(call)
    await this.#setAside(call)
    await this.#settle(call)
    await this.#release(call)
    this.#calls.delete(0)
  }

  #pass(ms: number): void {
    this.#elapsedMs += ms
    this.#lane.advanceMs(ms)
    this.#inFlight = this.#inFlight.filter(({ call }) => this.#elapsedMs < call.leaseEndsMs)
  }

  #addJob(runId: string, generation: string): void {
    this.#jobs.set(runId, [...(this.#jobs.get(runId) ?? []), generation])
  }
}

function chosen(entries: readonly Entry[], fields: number): Entry[] {
  return entries.filter((_entry, index) => (fields >> index) % 2 === 1)
}
