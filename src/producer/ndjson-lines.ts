import { isUtf8 } from 'node:buffer'
import { type RejectionCode, UpdateRejectedError } from '../errors.js'
import { MAX_UPDATE_BYTES } from '../run/parse.js'
import { withoutStack } from '../run/without-stack.js'

/** A line that is not blank, by its number in the file, from 1: its text, or why it can't be one. */
export type NdjsonLine =
  | { readonly line: number; readonly text: string }
  | { readonly line: number; readonly error: UpdateRejectedError }

const LINE_FEED = 0x0a
const NO_LINES: readonly NdjsonLine[] = []

/**
 * Splits a stream into lines: those of each chunk together, as soon as they are complete. A line that is too long is
 * passed over without being kept, so memory is bounded by one line and one chunk.
 */
export async function* readNdjsonLines(stream: AsyncIterable<Buffer>): AsyncGenerator<readonly NdjsonLine[]> {
  const current = new CurrentLine()
  for await (const chunk of stream) {
    const lines: NdjsonLine[] = []
    let start = 0
    for (let end = lineEnd(chunk, start); end !== -1; end = lineEnd(chunk, start)) {
      if (end > start) current.add(chunk.subarray(start, end))
      lines.push(...current.end())
      start = end + 1
    }
    current.add(chunk.subarray(start))
    if (lines.length > 0) yield lines
  }
  const last = current.end()
  if (last.length > 0) yield last
}

function refusal(code: RejectionCode, message: string): UpdateRejectedError {
  return withoutStack(() => new UpdateRejectedError(code, '', message))
}

/** Most blank lines are empty: those cost no search. */
function lineEnd(chunk: Buffer, start: number): number {
  return chunk[start] === LINE_FEED ? start : chunk.indexOf(LINE_FEED, start)
}

/** The line that is being read. */
class CurrentLine {
  #number = 1
  #parts: Buffer[] = []
  /** Of the whole line, kept or not. */
  #bytes = 0

  add(part: Buffer): void {
    this.#bytes += part.length
    if (this.#isTooLong) this.#parts = []
    else if (part.length > 0) this.#parts.push(part)
  }

  /** None where the line is blank. */
  end(): readonly NdjsonLine[] {
    const line = this.#number++
    if (this.#bytes === 0) return NO_LINES
    const bytes = Buffer.concat(this.#parts)
    const isTooLong = this.#isTooLong
    this.#parts = []
    this.#bytes = 0
    if (isTooLong) {
      const limit = `${MAX_UPDATE_BYTES / 1024} KiB`
      const message = `the line is longer than ${limit}; write large fields in updates of their own`
      return [{ line, error: refusal('too_large', message) }]
    }
    // What is not UTF-8 would be read with replacement characters, and sent so.
    if (!isUtf8(bytes)) return [{ line, error: refusal('invalid_json', 'the line is not UTF-8') }]
    const text = bytes
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .trim()
    return text === '' ? NO_LINES : [{ line, text }]
  }

  /** One byte is allowed for the carriage return of a Windows line. */
  get #isTooLong(): boolean {
    return this.#bytes > MAX_UPDATE_BYTES + 1
  }
}
