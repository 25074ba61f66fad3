import type { Job } from 'bullmq'
import { UpdateRejectedError } from '../errors.js'
import type { MergeUpdate } from '../pending/merge.js'
import { unreadableData } from '../redis/mending-queue.js'
import { parseRunUpdate } from '../run/parse.js'

export type IntakeJob = Pick<Job<unknown>, 'id' | 'data' | 'timestamp'>

/** The number that BullMQ gives a job without an id of its own: exact in a double. */
const JOB_NUMBER = /^\d{1,15}$/

/**
 * The update that an intake job is. Workers take jobs in parallel and finish them in any order, so the order is the
 * client's: a job that names no time of observation was observed when it was added, by its client's clock, and of one
 * instant the higher job number is the newer one. Jobs with ids of their own have no number; those of one millisecond
 * are merged in the order in which they are taken.
 */
export function readIntakeJob({
  id = '',
  data,
  timestamp,
}: IntakeJob): { ok: true; update: MergeUpdate } | { ok: false; error: UpdateRejectedError } {
  if (unreadableData(data) !== undefined) {
    const message = 'The data of this job was no JSON; what was there is shown. Mend it and retry, or remove the job.'
    return { ok: false, error: new UpdateRejectedError('invalid_json', '', message) }
  }
  const parsed = parseRunUpdate(data)
  if (!parsed.ok) return parsed
  const observedAtUs =
    parsed.update.observedAtUs ?? (Number.isSafeInteger(timestamp) ? BigInt(timestamp) * 1_000n : undefined)
  return {
    ok: true,
    update: {
      ...parsed.update,
      ...(observedAtUs !== undefined && { observedAtUs }),
      tie: JOB_NUMBER.test(id) ? Number(id) : 0,
    },
  }
}
