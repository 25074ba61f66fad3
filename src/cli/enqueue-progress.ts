import { Presets, SingleBar } from 'cli-progress'

/** A progress bar on a terminal's standard error; nothing anywhere else, nor where the size of the input is unknown. */
export class EnqueueProgress {
  readonly #bar: SingleBar | undefined
  #readBytes = 0
  #updates = 0

  constructor(totalBytes: number | undefined) {
    if (!process.stderr.isTTY || !totalBytes) return
    const format = '{bar} {percentage} % | {updates} updates | {eta_formatted} left'
    this.#bar = new SingleBar({ format, stream: process.stderr, clearOnComplete: true }, Presets.shades_classic)
    this.#bar.start(totalBytes, 0, { updates: 0 })
  }

  /** Counts the bytes of the input as they go by. */
  async *watch(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      yield chunk
      this.#readBytes += chunk.length
    }
  }

  update(updates: number): void {
    this.#updates = updates
    this.#bar?.update(this.#readBytes, { updates })
  }

  /** Lets something else be written on the terminal. */
  interrupt(write: () => void): void {
    // Back to the start of the bar's line, and all of it away.
    if (this.#bar) process.stderr.write('\r\u001b[2K')
    write()
  }

  end(): void {
    if (!this.#bar) return
    this.update(this.#updates)
    this.#bar.stop()
  }
}
