import type { Job } from 'bullmq'
import { isJsonObject, type JsonObject } from '../run/json-object.js'
import { DEAD_LETTER_JOB_NAME, type DeadLetter, type DeadLetterReason, runIdOf } from './dead-letter.js'

const LETTER_ID = /^[A-Za-z0-9._-]{1,128}\.[0-9a-f]{16}$/

/**
 * The letter that a job is, whatever a person has edited its data into: a letter must not drop out of the list because
 * it was edited badly. Id and run come from the job's id, which can't be edited; `run` and `updateMask` are handed on as
 * they are, for the parser to judge before a retry.
 * @returns undefined where the job is no dead letter: a person can add a job of any kind to any queue.
 */
export function readLetter(
  job: Pick<Job<unknown>, 'id' | 'name' | 'data' | 'failedReason' | 'timestamp'>,
): DeadLetter | undefined {
  const { id = '', name, failedReason, timestamp } = job
  if (name !== DEAD_LETTER_JOB_NAME || !LETTER_ID.test(id)) return undefined
  const data: JsonObject = isJsonObject(job.data) ? job.data : {}
  const tries = readTexts(data.tries)
  const recordedAt = readText(data.deadLetteredAt) ?? ''
  const heldClientKey = readText(data.heldClientKey)
  const raw = readTextByName(data.raw)
  return {
    id,
    runId: runIdOf(id),
    run: isJsonObject(data.run) ? data.run : {},
    updateMask: readMask(data.updateMask),
    reason: (readText(data.reason) ?? 'unknown') as DeadLetterReason,
    httpStatus: readNumber(data.httpStatus),
    code: readNumber(data.code),
    message: readText(data.message) ?? (failedReason || 'The message of this letter was edited away.'),
    deadLetteredAt: Number.isNaN(Date.parse(recordedAt)) ? new Date(timestamp).toISOString() : recordedAt,
    attempts: readNumber(data.attempts) ?? tries.length,
    sources: readTexts(data.sources),
    ...(heldClientKey !== undefined && { heldClientKey }),
    tries,
    stamps: readTextByName(data.stamps) ?? {},
    ...(raw !== undefined && { raw }),
  }
}

function readMask(mask: unknown): string {
  if (mask === undefined || mask === null) return ''
  if (Array.isArray(mask)) return mask.join(',')
  return typeof mask === 'string' ? mask : JSON.stringify(mask)
}

const readText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const readNumber = (value: unknown): number | null => (typeof value === 'number' ? value : null)

const readTexts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

function readTextByName(value: unknown): Record<string, string> | undefined {
  if (!isJsonObject(value)) return undefined
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
