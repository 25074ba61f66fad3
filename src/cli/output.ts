/** The two channels of a command: data on standard output, everything else on standard error. */
import { stripVTControlCharacters } from 'node:util'
import { EXIT } from './exit-codes.js'

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function printJson(value: unknown): void {
  printLine(JSON.stringify(value))
}

/** Tells a person something that is no data. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** What somebody else has written, as one line that does nothing to a terminal. */
export function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\s*\p{Cc}+\s*/gu, ' ')
    .trim()
}

let isEndedByReader = false

/**
 * For a command that prints for long and changes nothing: it ends quietly once its reader has seen enough (`| head`).
 * All others do their work to its end, and what they print then is dropped.
 */
export function endWithReader(): void {
  isEndedByReader = true
}

/** Keeps what becomes of the output from ending a command in the middle of its work. */
export function outliveOutput(): void {
  let isTold = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      if (isEndedByReader) process.exit(process.exitCode ?? EXIT.done)
      return
    }
    if (isTold) return
    isTold = true
    tell(`error: standard output can't be written: ${error.message}`)
    process.on('exit', () => {
      process.exitCode ||= EXIT.refused
    })
    if (isEndedByReader) process.exit()
  })
  // There is no place left to tell it.
  process.stderr.on('error', () => {})
}

/** A span of time for people: 250 ms, 4.2 s, 3 min 5 s, 2 h 10 min. */
export function formatSpan(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`
  const seconds = Math.round(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return withRest(minutes, 'min', seconds % 60, 's')
  const hours = Math.floor(minutes / 60)
  return hours < 48
    ? withRest(hours, 'h', minutes % 60, 'min')
    : withRest(Math.floor(hours / 24), 'days', hours % 24, 'h')
}

function withRest(count: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${count} ${unit}` : `${count} ${unit} ${rest} ${restUnit}`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`
}
