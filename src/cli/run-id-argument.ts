import { InvalidArgumentError } from 'commander'
import { isRunId } from '../run/parse.js'

/** Reads an argument that names a run. What no run can be called would only be told to have nothing pending. */
export function readRunIdArgument(text: string): string {
  if (isRunId(text)) return text
  throw new InvalidArgumentError('A run id is 1 to 128 characters of A-Z a-z 0-9 . _ -')
}
