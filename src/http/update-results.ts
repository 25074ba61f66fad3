import type { EnqueueResult } from '../producer/enqueue-result.js'
import type { FieldPath } from '../run/fields.js'

/** What became of one update, as the answer tells it. Empty lists and missing errors are left out. */
export interface UpdateItem {
  readonly status: EnqueueResult['status']
  readonly runId: string | null
  readonly generation: string | null
  readonly staleFields?: readonly FieldPath[]
  readonly conflictFields?: readonly FieldPath[]
  readonly error?: { readonly code: string; readonly path: string; readonly message: string }
}

/** How many updates of each fate; `read` is their sum. */
export class UpdateCounts {
  read = 0
  accepted = 0
  stale = 0
  conflicts = 0
  rejected = 0
  /** Of the rejected ones: those that only came at the wrong time. */
  #overloaded = 0

  note({ status, error }: Pick<EnqueueResult, 'status' | 'error'>): void {
    this.read++
    if (status === 'conflict') this.conflicts++
    else this[status]++
    if (error?.code === 'overloaded') this.#overloaded++
  }

  /** 202: Redis has at least one of them, or there were none. 503: trying again later makes sense. 400: it does not. */
  get status(): 202 | 400 | 503 {
    if (this.read === 0 || this.rejected < this.read) return 202
    return this.#overloaded > 0 ? 503 : 400
  }
}

export function toItem({ status, runId, generation, staleFields, conflictFields, error }: EnqueueResult): UpdateItem {
  return {
    status,
    runId,
    generation,
    ...(staleFields.length > 0 && { staleFields }),
    ...(conflictFields.length > 0 && { conflictFields }),
    ...(error && { error: { code: error.code, path: error.path, message: error.message } }),
  }
}
