/** A flush job is named after its run and generation, `<runId>.<generation>`; a run id may hold dots itself. */
export function flushJobId(runId: string, generation: string): string {
  return `${runId}.${generation}`
}

/** What the id of a flush job says; undefined: it is not one of ours. */
export function parseFlushJobId(jobId: string): { runId: string; generation: string } | undefined {
  const [, runId, generation] = /^([A-Za-z0-9._-]{1,128})\.(\d+)$/.exec(jobId) ?? []
  return runId === undefined || generation === undefined ? undefined : { runId, generation }
}

/**
 * What a dashboard shows of a flush job. While it waits that is nothing: its id names the run and the generation, the
 * values are in the pending update, and a job is the dearest part of a run's memory.
 */
export interface FlushJobData {
  /** The body of the last PATCH that was tried, once there was one. */
  readonly patch?: object
}
