import { EventEmitter } from 'node:events'
import type { RejectionCode } from './errors.js'

/**
 * The facts that a worker and a producer tell. Core code emits them and words nothing: one file turns them into log
 * lines, another into metrics. Times are milliseconds; run ids and reasons are as in the design's tables.
 */
export interface Facts {
  /**
   * An update was merged, or refused by the merge. `stamp` is the bookkeeping that its writes were given, with their
   * place among all writes of their fields; empty where it was refused.
   */
  'update:merged': [{ runId: string; result: string; source: string; stamp: string }]
  /** An update was refused: by the parser, which may have found neither run nor source, or by the merge. */
  'update:rejected': [{ runId: string | null; source: string; code: RejectionCode }]
  /** A worker takes jobs. */
  'worker:ready': [{ lane: string }]
  'worker:closed': [{ lane: string }]
  /** A PATCH was applied. */
  'patch:applied': [
    {
      runId: string
      updateMask: string
      /** How many updates were merged into it. */
      updates: number
      durationMs: number
      /** For each field: from its arrival until it was applied. */
      sinceArrivalMs: readonly number[]
    },
  ]
  /** A PATCH was refused for good, for a reason that lies in it. */
  'patch:refused': [{ runId: string; updateMask: string; reason: string; message: string; durationMs: number }]
  /** A run was read, since its client key was refused. */
  'run:read': [{ runId: string; durationMs: number }]
  /** A request ended badly and will be sent again. */
  'request:failed': [
    {
      runId: string
      method: 'GET' | 'PATCH'
      kind: 'transient' | 'throttled' | 'held'
      reason: string
      message: string
      durationMs: number
      ambiguous: boolean
    },
  ]
  /** A job will come again. */
  'run:deferred': [{ runId: string; reason: string; delayMs: number; failures: number }]
  /** A job met an older or newer generation than its own, and sent nothing. */
  'run:superseded': [{ runId: string; generation: string }]
  /** The sweeper found a pending run without a job. */
  'run:reopened': [{ runId: string; generation: string }]
  /** A permit was waited for. */
  'permit:taken': [{ runId: string; waitMs: number }]
  'lane:held': [{ reason: string; detail: string | null; untilMs: number | null }]
  'lane:opened': [Record<string, never>]
  'dead-letter:recorded': [{ id: string; runId: string; updateMask: string; reason: string; message: string }]
  'dead-letter:redriven': [
    { id: string; runId: string; acceptedFields: readonly string[]; staleFields: readonly string[] },
  ]
  'dead-letter:refused-again': [{ id: string; runId: string; message: string }]
  /** Another worker runs with another rate; the last one to start is in force. */
  'rate:differs': [{ before: string; now: string }]
  /** Redis's clock was set back: arrival times run ahead of it. */
  'clock:ahead': [{ aheadMs: number }]
  'api-key:reloaded': [Record<string, never>]
  /** A job that is none of ours lies in a queue of ours. */
  'job:foreign': [{ jobId: string; queueName: string }]
  /** Trouble with Redis or within BullMQ: it is gone over, and told. */
  'redis:trouble': [{ error: Error }]
  'redis:recovered': [Record<string, never>]
  /** Redis may drop keys when its memory is full: pending updates among them. */
  'redis:may-evict': [{ policy: string }]
  /** A bug of ours or of a library: the job comes again. */
  'job:crashed': [{ runId: string; error: Error }]
}

export type FactName = keyof Facts

/** Tells facts to whoever listens. */
export class FactEmitter extends EventEmitter<Facts> {}

export type FactListeners = { readonly [Name in FactName]?: (...fact: Facts[Name]) => void }

/** Listens to several facts at once. The function that it returns ends that. */
export function listenToFacts(facts: FactEmitter, listeners: FactListeners): () => void {
  // Node's types can't follow a name that is a type parameter into the listener's.
  const emitter: NodeJS.EventEmitter = facts
  const entries = Object.entries(listeners) as [FactName, (...fact: unknown[]) => void][]
  for (const [name, listener] of entries) emitter.on(name, listener)
  return () => {
    for (const [name, listener] of entries) emitter.off(name, listener)
  }
}
