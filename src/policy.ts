/**
 * Every wait and limit of a lane, in one frozen object that is handed to each part, so that tests can divide the waits
 * and that two parts never disagree about one. What operators may change comes from the configuration; the rest is
 * here because the promises were proved with these figures.
 */
export interface Policy {
  /** From the first pending write of a run to its PATCH. */
  readonly coalesceWindowMs: number
  /** One request to Sift, from connecting to the last byte of its answer. */
  readonly requestTimeoutMs: number
  /** How long a run rests after a request whose end says nothing of whether it was applied. */
  readonly ambiguityGraceMs: number
  /** How long a missing run is taken for one that is being created. */
  readonly notFoundGraceMs: number
  /** The longest hold that a server's word can bring about. */
  readonly maxHoldMs: number
  /** BullMQ's lock on a job; a killed worker's jobs come back after it. */
  readonly lockDurationMs: number
  readonly stalledIntervalMs: number
  /** How long late observations are recognised as stale. */
  readonly sentTtlMs: number
  /** Failures of a run that fails alone, until its writes become a dead letter. */
  readonly maxAttempts: number
  /** How much of a lease a claim may take on its way; after that nothing is sent. */
  readonly claimSlackMs: number
  /** Retries inside one try, and the pause before the first; it grows threefold. */
  readonly quickRetries: number
  readonly quickRetryMs: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  /** How far ahead of Redis's clock an observation may lie. */
  readonly futureLimitMs: number
  /** A producer's call fails after this, and what it asked for does not happen later. */
  readonly producerTimeoutMs: number
  /** How long the run that probed last leaves the next probe to another one. */
  readonly otherRunPauseMs: number
  /** The first hold without a stated wait; each failing probe doubles it, up to the longest. */
  readonly firstHoldMs: number
  readonly longestProbePauseMs: number
  /** How often a worker in a hold looks at the lane, announcements aside. */
  readonly laneLookMs: number
  /** So many transient failures in a row, over so many runs, are an outage. */
  readonly outageRow: number
  readonly outageRuns: number
  /** So many dead letters in a row, of distinct runs, for one reason, are a storm. */
  readonly stormRow: number
  readonly sweepEveryMs: number
  /** A pending run is overdue at twice the window and this. */
  readonly overdueSlackMs: number
}

export const DEFAULT_POLICY: Policy = Object.freeze({
  coalesceWindowMs: 1_000,
  requestTimeoutMs: 10_000,
  ambiguityGraceMs: 2_000,
  notFoundGraceMs: 30_000,
  maxHoldMs: 900_000,
  lockDurationMs: 10_000,
  stalledIntervalMs: 5_000,
  sentTtlMs: 86_400_000,
  maxAttempts: 25,
  claimSlackMs: 1_000,
  quickRetries: 2,
  quickRetryMs: 100,
  minBackoffMs: 1_000,
  maxBackoffMs: 300_000,
  futureLimitMs: 300_000,
  producerTimeoutMs: 2_000,
  otherRunPauseMs: 1_000,
  firstHoldMs: 1_000,
  longestProbePauseMs: 60_000,
  laneLookMs: 5_000,
  outageRow: 10,
  outageRuns: 3,
  stormRow: 20,
  sweepEveryMs: 5_000,
  overdueSlackMs: 5_000,
})

/** The default policy with some of it changed. */
export function policyWith(changes: Partial<Policy>): Policy {
  return Object.freeze({ ...DEFAULT_POLICY, ...changes })
}

/** How long a claim keeps other owners away: the request, the grace after it, and what the claim itself may take. */
export function leaseMs(policy: Policy): number {
  return policy.requestTimeoutMs + policy.ambiguityGraceMs + policy.claimSlackMs
}
