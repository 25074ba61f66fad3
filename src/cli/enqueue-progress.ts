import type { SingleBar } from 'cli-progress'
import { openBar } from './progress-bar.js'

/** A progress bar on a terminal's standard error; nothing anywhere else, nor where the size of the input is unknown. */
export class EnqueueProgress {
  readonly #bar: SingleBar | undefined
  readonly #totalBytes: number
  /** Not while something else is written. */
  #isShown = false
  #readBytes = 0

  constructor(totalBytes: number | undefined) {
    this.#totalBytes = totalBytes ?? 0
    this.#bar = openBar(this.#totalBytes, '{bar} {percentage} % | {updates} updates | {eta_formatted} left')
    this.update(0)
  }

  /** Counts the bytes of the input as they go by. */
  async *watch(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      yield chunk
      this.#readBytes += chunk.length
    }
  }

  update(updates: number): void {
    if (this.#isShown) this.#bar?.update(this.#readBytes, { updates })
    else this.#bar?.start(this.#totalBytes, this.#readBytes, { updates })
    this.#isShown = true
  }

  /** Lets something else be written on the terminal; the bar comes back below it. */
  interrupt(write: () => void): void {
    this.end()
    write()
  }

  end(): void {
    if (this.#isShown) this.#bar?.stop()
    this.#isShown = false
  }
}
