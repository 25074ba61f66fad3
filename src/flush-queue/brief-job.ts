import { Job, type JobJson, type JobProgress } from 'bullmq'

/**
 * A flush job as it is stored while it waits. Redis keeps a small hash in half the memory as long as none of its texts is
 * longer than 64 bytes. BullMQ's options would be, by the job's id alone, which names the hash already.
 */
export class BriefJob<Data, Result, Name extends string, Progress extends JobProgress> extends Job<
  Data,
  Result,
  Name,
  Progress
> {
  override asJSON(): JobJson {
    const json = super.asJSON()
    const { jobId: _named, ...opts } = json.opts
    return { ...json, opts }
  }
}
