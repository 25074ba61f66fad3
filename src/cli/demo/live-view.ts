import { clearScreenDown, cursorTo, moveCursor } from 'node:readline'
import type { WriteStream } from 'node:tty'
import { progressBlock, progressLine, type Snapshot } from './progress.js'
import { terminalOf } from './terminal.js'

/** Where the progress is shown. */
export interface LiveView {
  show(snapshot: Snapshot): void
  /** A line that stays. */
  say(line: string): void
  /** Makes room for what comes next. */
  end(): void
}

const LINE_EVERY_MS = 2_000

/** A block that is drawn over itself on a terminal; anywhere else a line every two seconds. */
export function liveView(stream: WriteStream): LiveView {
  return stream.isTTY ? new TerminalView(stream) : new LineView(stream)
}

class TerminalView implements LiveView {
  readonly #stream: WriteStream
  /** Rows of the block above the cursor, and how wide the terminal was for them: a narrower one has wrapped them. */
  #rows = 0
  #columns = 0

  constructor(stream: WriteStream) {
    this.#stream = stream
  }

  show(snapshot: Snapshot): void {
    const terminal = terminalOf(this.#stream)
    const { columns } = terminal
    const lines = progressBlock(snapshot, terminal)
    // What a resize has wrapped can't be found again: it is left as it is, and a new block begins below.
    if (columns >= this.#columns) this.#erase()
    this.#stream.write(`${lines.join('\n')}\n`)
    this.#rows = lines.length
    this.#columns = columns
  }

  say(line: string): void {
    this.#erase()
    this.#stream.write(`${line}\n`)
  }

  end(): void {
    this.#erase()
  }

  #erase(): void {
    if (this.#rows === 0) return
    moveCursor(this.#stream, 0, -this.#rows)
    cursorTo(this.#stream, 0)
    clearScreenDown(this.#stream)
    this.#rows = 0
  }
}

class LineView implements LiveView {
  readonly #stream: NodeJS.WritableStream
  #saidAtMs = Number.NEGATIVE_INFINITY

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream
  }

  show(snapshot: Snapshot): void {
    const nowMs = performance.now()
    if (nowMs - this.#saidAtMs < LINE_EVERY_MS) return
    this.#saidAtMs = nowMs
    this.say(progressLine(snapshot))
  }

  say(line: string): void {
    this.#stream.write(`${line}\n`)
  }

  end(): void {}
}
