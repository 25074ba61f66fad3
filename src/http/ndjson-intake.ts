/**
 * Updates as a stream of lines, in and out: each line of the answer tells what became of one line of the request, and
 * the last one sums up. Memory is bounded in both directions.
 *
 *  - Lines are taken in one chunk after the other, so updates of one connection keep their order.
 *  - The status goes out before all is read. It is 202 once Redis has taken one line of the stream, or as soon as more
 *    follows what was refused; 400 or 503 where the stream was short and nothing of it was taken, 503 where all of its
 *    first lines met an overloaded lane. What goes wrong after a 202 stands in the lines, and in `error` of the last
 *    one: lines without an answer may or may not have been taken, and sending them again is safe.
 *  - The work ends with the connection, and lets other requests have their turn: a few kilobytes of gzip hold millions of
 *    lines.
 */
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { setImmediate as othersTurn } from 'node:timers/promises'
import { EnqueueInterruptedError, type EnqueueResult, rejection } from '../producer/enqueue-result.js'
import { type NdjsonLine, readNdjsonLines } from '../producer/ndjson-lines.js'
import type { RunUpdateProducer } from '../producer/producer.js'
import { toHttpError } from './error-handler.js'
import { HttpError } from './http-error.js'
import { SpooledLines } from './spooled-lines.js'
import { toItem, UpdateCounts } from './update-results.js'

/** As many lines as are judged before others have their turn: some milliseconds. */
const SLICE = 1_000

export interface NdjsonAnswer {
  readonly status: 202 | 400 | 503
  readonly lines: SpooledLines
}

type TextProducer = Pick<RunUpdateProducer, 'enqueueTexts'>

/**
 * Resolves once the status is known; the intake goes on.
 * @param socket of the client: where it closes, what has not begun is left
 * @throws what ended it before any line was judged.
 */
export function takeInLines(producer: TextProducer, stream: Readable, socket: Socket): Promise<NdjsonAnswer> {
  return new Promise((resolve, reject) => {
    const lines = new SpooledLines()
    const leave = () => {
      lines.destroy()
      stream.destroy()
    }
    // Not of the response: one that waits for its turn on the connection is not told.
    socket.once('close', leave)
    lines.once('close', () => socket.off('close', leave))
    if (socket.destroyed) leave()
    const intake = new NdjsonIntake(producer, lines, resolve)
    intake.run(stream).catch((error: Error) => {
      // Where the status is out already, only an end without the last line can tell.
      intake.abandon(error)
      reject(error)
    })
  })
}

class NdjsonIntake {
  readonly #producer: TextProducer
  readonly #lines: SpooledLines
  readonly #counts = new UpdateCounts()
  readonly #tellStatus: (answer: NdjsonAnswer) => void
  #isStatusTold = false

  constructor(producer: TextProducer, lines: SpooledLines, tellStatus: (answer: NdjsonAnswer) => void) {
    this.#producer = producer
    this.#lines = lines
    this.#tellStatus = tellStatus
  }

  async run(stream: Readable): Promise<void> {
    let failure: HttpError | undefined
    try {
      for await (const lines of readNdjsonLines(stream)) {
        // More follows what was refused.
        if (this.#counts.read > 0) this.#tell(202)
        for (let start = 0; start < lines.length && !this.#hasLeft; start += SLICE) {
          await this.#takeIn(lines.slice(start, start + SLICE))
          await othersTurn()
        }
        if (this.#hasLeft) break
        if (this.#counts.status === 202) this.#tell(202)
        if (this.#counts.status === 503) break
      }
    } catch (error) {
      failure = toHttpError(error) ?? unreadable(error)
      if (this.#counts.read === 0) throw failure
    }
    const error = failure && { code: failure.body.code, message: failure.message }
    const { read, accepted, stale, conflicts, rejected } = this.#counts
    const summary = { summary: { read, accepted, stale, conflicts, rejected }, ...(error && { error }) }
    this.#tell(failure && failure.statusCode === 503 && this.#counts.status !== 202 ? 503 : this.#counts.status)
    await this.#lines.add(`${JSON.stringify(summary)}\n`)
    this.#lines.complete()
  }

  abandon(error: Error): void {
    // An error that nobody listens to would end the process.
    this.#lines.destroy(this.#isStatusTold ? error : undefined)
  }

  /** The answer is open until its last line. */
  get #hasLeft(): boolean {
    return this.#lines.destroyed
  }

  #tell(status: NdjsonAnswer['status']): void {
    this.#isStatusTold = true
    this.#tellStatus({ status, lines: this.#lines })
  }

  async #takeIn(lines: readonly NdjsonLine[]): Promise<void> {
    const texts = lines.flatMap((line) => ('text' in line ? [line.text] : []))
    try {
      await this.#answer(lines, await this.#producer.enqueueTexts(texts))
    } catch (error) {
      if (error instanceof EnqueueInterruptedError) await this.#answer(lines, error.results)
      throw error
    }
  }

  /** The results are those of the lines that have a text, in their order; those without one come at their place. */
  async #answer(lines: readonly NdjsonLine[], results: readonly EnqueueResult[]): Promise<void> {
    let next = 0
    let text = ''
    for (const line of lines) {
      const result = 'error' in line ? rejection(null, line.error) : results[next++]
      // Redis went away before this line: nothing is known of it.
      if (!result) break
      this.#counts.note(result)
      text += `${JSON.stringify({ line: line.line, ...toItem(result) })}\n`
    }
    await this.#lines.add(text)
  }
}

/** Bad gzip data, or a client that went away in the middle: complete lines before that were taken in. */
function unreadable(error: unknown): HttpError {
  if (error instanceof Error && 'code' in error) {
    return new HttpError(400, `the body could not be read to its end: ${error.message}`)
  }
  throw error
}
