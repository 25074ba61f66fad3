import { CommanderError } from 'commander'
import { ConfigurationError, RedisUnavailableError, SiftRunUpdaterError } from '../errors.js'
import { isRedisTrouble } from '../redis/trouble.js'

/** What a command ends with. Scripts rely on them. */
export const EXIT = {
  done: 0,
  /** Done, but something was refused or has failed. */
  refused: 1,
  /** Wrong usage or configuration. */
  usage: 2,
  /** Redis or Sift could not be reached. */
  unreachable: 3,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A mistake in how a command was called, that commander can't see. */
export class UsageError extends SiftRunUpdaterError {
  readonly code = 'wrong_usage'
}

/** What a command was to write has found no place, such as on a full disk. */
export class OutputFailedError extends SiftRunUpdaterError {
  readonly code = 'output_failed'
}

/** Shown below the help of every command. */
export const EXIT_CODES_HELP = `
Exit codes: 0 done; 1 done, with something refused or failed; 2 wrong usage or configuration; 3 could not reach Redis or
Sift.`

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  if (error instanceof ConfigurationError || error instanceof UsageError) return EXIT.usage
  if (error instanceof RedisUnavailableError || isRedisTrouble(error)) return EXIT.unreachable
  return EXIT.refused
}
