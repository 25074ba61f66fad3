/**
 * A queue of BullMQ that can always be read. The hash of a job may hold what is no JSON (another client's bug, or a
 * person with redis-cli), and BullMQ then throws for the whole page of jobs, and for the worker that takes the job: it
 * stays active, stalls and comes again for ever. Here, such a field is replaced on sight by one that can be read; what
 * was there is shown in its place, and kept in the hash.
 */
import { type JobType, Queue, type QueueOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import { isJsonObject } from '../run/json-object.js'
import { cutTtl } from './cut-ttl.js'
import { Script } from './script.js'

export const SCRIPTS = {
  mendJobField: new Script(
    new URL('./mendJobField.lua', import.meta.url),
    ['job'],
    ['field', 'raw', 'mended', 'keptAs'],
  ),
} as const

/** The key under which data that was no JSON is shown. */
const UNREADABLE_DATA = 'was no JSON'

interface ParsedField {
  readonly isFine: (value: unknown) => boolean
  /** What stands for it once it can't be read; empty: nothing, the field goes. */
  readonly mended: (raw: string) => string
}

/** With a TTL: while it is there, no worker looks for stalled jobs. */
const STALLED_CHECK = 'stalled-check'

/** The fields that BullMQ parses without a safety net. */
const PARSED_FIELDS: ReadonlyMap<string, ParsedField> = new Map([
  ['data', { isFine: () => true, mended: (raw: string) => JSON.stringify({ [UNREADABLE_DATA]: raw }) }],
  ['opts', { isFine: isJsonObject, mended: () => '{}' }],
  ['progress', { isFine: () => true, mended: () => '' }],
  ['parent', { isFine: isJsonObject, mended: () => '' }],
])

/** The raw text of a job's data that was no JSON; undefined: it was. */
export function unreadableData(data: unknown): string | undefined {
  if (!isJsonObject(data) || !Object.hasOwn(data, UNREADABLE_DATA)) return undefined
  const raw = data[UNREADABLE_DATA]
  return typeof raw === 'string' ? raw : undefined
}

type JobOf<Data> = ReturnType<Queue<Data>['getJob']>
type JobsOf<Data> = ReturnType<Queue<Data>['getJobs']>

export class MendingQueue<Data = unknown> extends Queue<Data> {
  readonly #redis: Redis

  constructor(name: string, options: Omit<QueueOptions, 'connection'> & { connection: Redis }) {
    super(name, options)
    this.#redis = options.connection
    this.on('error', () => {})
  }

  override async getJob(jobId: string): JobOf<Data> {
    try {
      return await super.getJob(jobId)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      await this.#mend([jobId])
      return await super.getJob(jobId)
    }
  }

  override async getJobs(types?: JobType[] | JobType, start?: number, end?: number, asc?: boolean): JobsOf<Data> {
    try {
      return await super.getJobs(types, start, end, asc)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      await this.#mend(await this.getRanges([types ?? []].flat(), start, end, asc))
      return await super.getJobs(types, start, end, asc)
    }
  }

  /**
   * To be called where a worker of the queue has told an error. A job that it could not read is active, and locked by
   * nobody who would work on it: mended, it stalls and comes again.
   * @returns the ids of those that were mended now; none where the error tells of something else.
   */
  async mendActive(error: Error): Promise<readonly string[]> {
    return isUnreadable(error) ? await this.#mend(await this.getRanges(['active'], 0, -1)) : []
  }

  /** A clock set back must not keep workers from looking for the jobs of killed ones for longer than their interval. */
  async cutStalledCheck(intervalMs: number): Promise<void> {
    await cutTtl(this.#redis, this.toKey(STALLED_CHECK), intervalMs)
  }

  async #mend(jobIds: readonly string[]): Promise<readonly string[]> {
    const mended = await Promise.all(jobIds.map(async (id) => ((await this.#mendOne(id)) ? [id] : [])))
    return mended.flat()
  }

  async #mendOne(jobId: string): Promise<boolean> {
    const job = this.toKey(jobId)
    const values = await this.#redis.hmget(job, ...PARSED_FIELDS.keys())
    let isMended = false
    for (const [index, [field, { isFine, mended }]] of [...PARSED_FIELDS].entries()) {
      const raw = values[index]
      // BullMQ takes an empty text for a missing one.
      if (!raw || canBeRead(raw, isFine)) continue
      const args = { field, raw, mended: mended(raw), keptAs: `unreadable-${field}` }
      if ((await SCRIPTS.mendJobField.run(this.#redis, { job }, args)) === 1) isMended = true
    }
    return isMended
  }
}

/** What `JSON.parse` throws, or BullMQ where it was given something else than the object that it expects. */
function isUnreadable(error: unknown): boolean {
  return error instanceof SyntaxError || error instanceof TypeError
}

function canBeRead(raw: string, isFine: (value: unknown) => boolean): boolean {
  try {
    return isFine(JSON.parse(raw))
  } catch {
    return false
  }
}
