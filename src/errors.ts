/**
 * Every error that users of the library or of the command line can meet. Each has a stable `code`; the table below
 * is the one list of them, and the docs are compared with it by a test.
 */

/** What a refused update is told: the parser's codes, and those that only Redis can tell (the last three). */
export const REJECTION_CODES = {
  invalid_json: 'the line or body is not JSON',
  too_large: 'the update is larger than 64 KiB of JSON',
  missing_run: 'there is no `run` object',
  invalid_run_id: '`run.runId` is not 1 to 128 characters of A-Z a-z 0-9 . _ -',
  empty_update: 'the update names no field',
  unknown_field: 'a key that the API does not have',
  unknown_mask_path: 'a path in the update mask that the API does not have',
  not_updatable: 'a field that only Sift writes',
  duplicate_field: 'one field under both of its spellings',
  cannot_clear: 'a field that cannot be cleared',
  invalid_value: 'a value of the wrong type or form',
  observed_in_future: '`observedAt` lies more than five minutes ahead of the clock of Redis',
  overloaded: 'the lane takes no new runs until some are sent, or Redis is full; send the update again later',
  corrupt_pending: 'what Redis holds for this run is not a pending update; delete or rename its key',
} as const

export type RejectionCode = keyof typeof REJECTION_CODES

/** The base class: `code` is stable and meant for programs, `message` for the person who reads it. */
export abstract class SiftRunUpdaterError extends Error {
  abstract readonly code: string
  override get name(): string {
    return this.constructor.name
  }
}

/** An update that was refused. Nothing of it was taken; sending it again unchanged is refused again (but `overloaded`). */
export class UpdateRejectedError extends SiftRunUpdaterError {
  readonly code: RejectionCode
  /** Where in the update, as `run.metadata.0` or `updateMask`; empty for the whole. */
  readonly path: string

  constructor(code: RejectionCode, path: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.path = path
  }
}

/** Redis did not answer in time. The write may or may not have been taken; sending it again is safe. */
export class RedisUnavailableError extends SiftRunUpdaterError {
  readonly code = 'redis_unavailable'
}

/** A configuration that cannot work: every problem is in the message, one a line. */
export class ConfigurationError extends SiftRunUpdaterError {
  readonly code = 'invalid_configuration'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      problems.length === 1 ? problems[0] : `${problems.length} problems:\n${problems.map((p) => `  ${p}`).join('\n')}`,
    )
    this.problems = problems
  }
}
