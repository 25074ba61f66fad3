import type { WriteStream } from 'node:tty'

/** What text is laid out for. */
export interface Terminal {
  readonly columns: number
  readonly hasColors: boolean
}

/** In a file or a pipe nobody wraps lines, and colors are noise. */
const NO_TERMINAL: Terminal = { columns: Number.POSITIVE_INFINITY, hasColors: false }

export function terminalOf(stream: WriteStream): Terminal {
  return stream.isTTY ? { columns: stream.columns, hasColors: stream.hasColors() } : NO_TERMINAL
}
