import type { Redis } from 'ioredis'
import { runIdOf } from '../dead-letters/dead-letter.js'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import { type Order, parseStamp } from '../pending/entry.js'
import type { EndedWrites } from '../pending/outcome.js'
import type { Lane } from '../redis/lane.js'
import type { FieldPath } from '../run/fields.js'

export interface RecordedOutcomeParts {
  readonly redis: Redis
  readonly lane: Lane
  readonly deadLetters: DeadLetters
}

/** What Redis remembers of writes that were applied, where their announcement may have been missed. */
export async function readApplied(
  { redis, lane }: RecordedOutcomeParts,
  runId: string,
  paths: readonly FieldPath[],
): Promise<EndedWrites> {
  const applied = await redis.hmget(lane.sent(runId), ...paths.map((path) => `applied:${path}`))
  const writes = new Map<string, Order>()
  for (const [index, path] of paths.entries()) {
    const order = readOrder(applied[index])
    if (order) writes.set(path, order)
  }
  return { runId, outcome: 'applied', writes, message: 'applied' }
}

/**
 * The same of those that became a dead letter. Sift's answer is not kept; what stands for it holds what is known.
 */
export async function* readRefused(
  { redis, lane, deadLetters }: RecordedOutcomeParts,
  runId: string,
): AsyncGenerator<EndedWrites> {
  // Most runs have none, and looking for them means reading all ids.
  if ((await redis.zscore(lane.lettered, runId)) === null) return
  for (const id of (await deadLetters.ids()).filter((id) => runIdOf(id) === runId)) {
    const letter = (await deadLetters.find(id))?.data
    if (!letter) continue
    const refused = new Map<string, Order>()
    for (const [path, stamp] of Object.entries(letter.stamps)) {
      const order = parseStamp(stamp)
      if (order) refused.set(path, order)
    }
    const { code, httpStatus, message } = letter
    const answer = httpStatus === null ? {} : { answer: { status: httpStatus, body: bodyOf(code, message) } }
    yield { runId, outcome: 'refused', writes: refused, message, ...answer }
  }
}

function bodyOf(code: number | null, message: string): string {
  return JSON.stringify({ code: code ?? 2, message, details: [] })
}

function readOrder(text: string | null | undefined): Order | undefined {
  const [, observedUs, tie, sequence] = /^(-?\d+) (\d+) (\d+)$/.exec(text ?? '') ?? []
  if (sequence === undefined) return undefined
  return { observedUs: Number(observedUs), tie: Number(tie), sequence: Number(sequence) }
}
