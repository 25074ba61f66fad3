import type { Job } from 'bullmq'
import type { DeadLetter, Refusal } from '../../../src/dead-letters/dead-letter.js'
import type { FieldPath, FieldValue } from '../../../src/run/fields.js'
import type { Pipeline } from '../../support/pipeline.js'
import { waitFor } from '../../support/wait-for.js'

export interface WriteOptions {
  readonly path?: FieldPath
  readonly value?: FieldValue | null
  /** Default: long before any update of a test. */
  readonly observedUs?: number
  readonly sequence?: number
  readonly source?: string
}

/** A write as it stood in Redis when it was refused. */
export function refusedWrite(options: WriteOptions = {}): Refusal['writes'][number] {
  const { path = 'name', value = 'refused', observedUs = 1_000_000, sequence = 1, source = 'a-source' } = options
  return { path, value, source, stamp: `${observedUs} 0 ${sequence} ${observedUs} 0 ${source}` }
}

export function refusal(runId: string, changes: Partial<Refusal> = {}): Refusal {
  const message = 'the API says no'
  const writes = [refusedWrite()]
  return { runId, writes, reason: 'invalid_argument', message, httpStatus: 400, code: 3, tries: [], ...changes }
}

export async function listLetters({ deadLetters }: Pipeline): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const { data } of deadLetters.list()) letters.push(data)
  return letters
}

/** The job of a letter, once a worker has failed it (again: after that many attempts). */
export async function failedJob({ deadLetters }: Pipeline, id: string, attempts = 1): Promise<Job<DeadLetter>> {
  return await waitFor(`the letter ${id} to be failed for the ${attempts}. time`, async () => {
    const job = await deadLetters.queue.getJob(id)
    return job && (await job.isFailed()) && job.attemptsMade >= attempts && job
  })
}

export async function letterGone({ deadLetters }: Pipeline, id: string): Promise<void> {
  await waitFor(`the letter ${id} to be gone`, async () => (await deadLetters.queue.getJob(id)) === undefined)
}
