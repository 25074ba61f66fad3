import { type Dispatcher, errors } from 'undici'
import type { Answer, AnswerHeaders } from './answer.js'
import { CallerAbortError, DeadlineError } from './failure.js'

export interface HttpRequest {
  readonly method: 'GET' | 'PATCH'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface RequestLimits {
  /** For everything, from this call to the last byte of the answer. At most 2^31 - 1. */
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly signal?: AbortSignal
}

export type Outcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'oversized'; readonly status: number }
  /** `sent`: whether a first byte of the request may have gone out. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly sent: boolean }

/**
 * Makes one HTTP request. Its promises:
 *
 * 1. It ends by its deadline, whatever the network does.
 * 2. It is written to a socket once at most.
 * 3. Once it has ended as not sent, it is never sent.
 * 4. No redirect is followed.
 *
 * What went wrong is in the outcome.
 */
export function sendRequest(
  dispatcher: Pick<Dispatcher, 'dispatch'>,
  request: HttpRequest,
  limits: RequestLimits,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const running = new RunningRequest(limits, resolve)
    if (!running.ended) dispatcher.dispatch({ ...request }, running)
  })
}

/**
 * A request on its way: queued (no connection yet) -> sent (`onRequestStart`) -> answering (`onResponseStart`) ->
 * ended, which it can be from each of the others, and which only `#end` brings about.
 *
 * undici's own `request` is not used since it tells neither whether a failed request was written, nor of an abort
 * before there is a connection.
 */
class RunningRequest implements Dispatcher.DispatchHandler {
  readonly #limits: RequestLimits
  readonly #resolve: (outcome: Outcome) => void
  /** On the monotonic clock. */
  readonly #deadline: number
  readonly #timer: NodeJS.Timeout
  readonly #onAbort = () => this.#giveUp(new CallerAbortError())
  #ended = false
  /** There from the moment before the first byte is written. */
  #controller: Dispatcher.DispatchController | undefined
  #head: { readonly status: number; readonly headers: AnswerHeaders } | undefined
  readonly #chunks: Buffer[] = []
  #bytes = 0

  constructor(limits: RequestLimits, resolve: (outcome: Outcome) => void) {
    this.#limits = limits
    this.#resolve = resolve
    this.#deadline = performance.now() + limits.timeoutMs
    this.#timer = setTimeout(() => this.#giveUp(new DeadlineError(limits.timeoutMs)), limits.timeoutMs)
    limits.signal?.addEventListener('abort', this.#onAbort)
    if (limits.signal?.aborted) this.#onAbort()
    else if (limits.timeoutMs <= 0) this.#giveUp(new DeadlineError(limits.timeoutMs))
  }

  get ended(): boolean {
    return this.#ended
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // undici starts a request again that was pipelined behind a failed one. We don't pipeline, but promise 2 must not
    // hang on an option.
    if (this.#controller !== undefined) {
      const error = new errors.SocketError('the connection was lost')
      this.#giveUp(error)
      controller.abort(error)
      return
    }
    // A busy event loop may let the connection come before the timer: too late is too late.
    if (performance.now() >= this.#deadline) this.#giveUp(new DeadlineError(this.#limits.timeoutMs))
    if (this.#ended) controller.abort(new Error('the request ended before it was sent'))
    else this.#controller = controller
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: AnswerHeaders): void {
    // Interim answers (1xx) come through here, too; the final one is the last.
    this.#head = { status, headers }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#head === undefined || this.#bytes <= this.#limits.maxBodyBytes) return
    this.#end({ kind: 'oversized', status: this.#head.status })
    this.#controller?.abort(new Error('the answer is too large'))
  }

  onResponseEnd(): void {
    if (this.#head === undefined) return
    const body = Buffer.concat(this.#chunks).toString('utf8')
    this.#end({ kind: 'answered', answer: { ...this.#head, body } })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end({ kind: 'failed', error, sent: this.#controller !== undefined })
  }

  #giveUp(error: Error): void {
    this.#end({ kind: 'failed', error, sent: this.#controller !== undefined })
    this.#controller?.abort(error)
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#limits.signal?.removeEventListener('abort', this.#onAbort)
    this.#resolve(outcome)
  }
}
