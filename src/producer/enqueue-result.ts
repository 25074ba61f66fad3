import { RedisUnavailableError, UpdateRejectedError } from '../errors.js'
import { type Order, parseStamp } from '../pending/entry.js'
import type { Merged } from '../pending/merge.js'
import type { FieldPath } from '../run/fields.js'

/** What became of one update. */
export interface EnqueueResult {
  /** `accepted`: at least one field was taken. `stale`: all were older than what is known. */
  readonly status: 'accepted' | 'stale' | 'conflict' | 'rejected'
  /** Null where the update names no run. */
  readonly runId: string | null
  /** The generation that it went into; null where nothing is pending for the run. */
  readonly generation: string | null
  /** Fields that were older than what is pending or was sent. */
  readonly staleFields: readonly FieldPath[]
  /** A client key that differs from the one that came first; it is a dead letter now. */
  readonly conflictFields: readonly FieldPath[]
  /** Why it was rejected; null otherwise. */
  readonly error: UpdateRejectedError | null
}

/** A result that knows the order of its update, which is for the oracle alone, and no part of what users are told. */
class Taken implements EnqueueResult {
  readonly status: EnqueueResult['status']
  readonly runId: string
  readonly generation: string | null
  readonly staleFields: readonly FieldPath[]
  readonly conflictFields: readonly FieldPath[]
  readonly error = null
  readonly #merged: Merged

  constructor(status: EnqueueResult['status'], runId: string, merged: Merged) {
    this.status = status
    this.runId = runId
    this.generation = merged.generation
    this.staleFields = merged.staleFields
    this.conflictFields = merged.conflictFields
    this.#merged = merged
  }

  static stampOf(result: EnqueueResult): string | undefined {
    return #merged in result ? result.#merged.stamp : undefined
  }
}

/** The order that an update was given among all others; undefined where it was rejected. */
export function orderOf(result: EnqueueResult): Order | undefined {
  return parseStamp(Taken.stampOf(result) ?? '')
}

export function toResult(runId: string, merged: Merged): EnqueueResult {
  const { status } = merged
  switch (status) {
    case 'accepted':
    case 'stale':
    case 'conflict':
      return new Taken(status, runId, merged)
    case 'observed_in_future':
      return rejection(
        runId,
        new UpdateRejectedError(
          status,
          'observedAt',
          'observedAt lies more than five minutes ahead of the clock of Redis: check the clock of the machine that observed it',
        ),
      )
    case 'overloaded':
      return rejection(
        runId,
        new UpdateRejectedError(
          status,
          '',
          merged.isRedisFull
            ? `run ${runId} was not taken: Redis is full (maxmemory) and takes no writes, not even what would send what is pending. Raise maxmemory, and send the update again`
            : `run ${runId} was not taken: the lane is at its limit of pending runs or memory. Updates of runs that are pending already are still taken; send this one again later`,
        ),
      )
    case 'unreadable':
      return rejection(
        runId,
        new UpdateRejectedError(
          'corrupt_pending',
          '',
          `run ${runId} was not taken: Redis holds something else under the key of its pending update; delete or rename that key`,
        ),
      )
  }
}

export function rejection(runId: string | null, error: UpdateRejectedError): EnqueueResult {
  return { status: 'rejected', runId, generation: null, staleFields: [], conflictFields: [], error }
}

/** Redis went away in the middle of an `enqueueMany`: those of the results are in Redis, of the others it isn't known. */
export class EnqueueInterruptedError extends RedisUnavailableError {
  readonly results: readonly EnqueueResult[]

  constructor(message: string, results: readonly EnqueueResult[], options?: ErrorOptions) {
    super(message, options)
    this.results = results
  }
}
