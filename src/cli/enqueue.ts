import { createReadStream, fstatSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Command } from 'commander'
import { type Config, producerOptions } from '../config.js'
import type { UpdateRejectedError } from '../errors.js'
import { EnqueueInterruptedError, type EnqueueResult } from '../producer/enqueue-result.js'
import { type NdjsonLine, readNdjsonLines } from '../producer/ndjson-lines.js'
import { createProducer, type RunUpdateProducer } from '../producer/producer.js'
import { EnqueueProgress } from './enqueue-progress.js'
import { EXIT, UsageError } from './exit-codes.js'
import { plural, printJson, printLine, tell } from './output.js'
import { RejectsFile } from './rejects-file.js'
import { addSettings, LANE_SETTINGS, readSettings } from './settings.js'

/** As large as a batch of small updates. */
const CHUNK_BYTES = 256 * 1024

/** Its file descriptor. */
const STANDARD_INPUT = 0

interface EnqueueCommandOptions {
  readonly json?: true
  readonly rejects?: string
}

/** How many lines of each fate; `read` is their sum. */
type Summary = Record<'read' | 'accepted' | 'stale' | 'conflicts' | 'rejected', number>

type ReportRejected = (line: number, error: UpdateRejectedError) => Promise<void>

export function createEnqueueCommand(): Command {
  const command = new Command('enqueue')
    .description('take in updates, one JSON object a line, from a file or standard input')
    .argument('[file]', 'NDJSON; - or nothing: standard input')
    .option('--rejects <file>', 'write refused lines to this file instead of standard error')
    .option('--json', 'print the summary as JSON')
    .action(async (file: string | undefined, options: EnqueueCommandOptions) => {
      await enqueueFile(readSettings(command), file, options)
    })
  return addSettings(command, [...LANE_SETTINGS, 'COALESCE_WINDOW_MS', 'MAX_PENDING_RUNS', 'MAX_REDIS_MEMORY_PERCENT'])
}

async function enqueueFile(config: Config, file: string | undefined, options: EnqueueCommandOptions): Promise<void> {
  const input = await openInput(file)
  const rejects = options.rejects === undefined ? undefined : await RejectsFile.open(options.rejects, input.identity)
  const producer = createProducer(producerOptions(config))
  const progress = new EnqueueProgress(input.bytes)
  const summary: Summary = { read: 0, accepted: 0, stale: 0, conflicts: 0, rejected: 0 }
  const report: ReportRejected = async (line, { code, path, message }) => {
    const text = JSON.stringify({ line, error: { code, path, message } })
    if (rejects) await rejects.add(text)
    else progress.interrupt(() => tell(text))
  }
  try {
    for await (const lines of readNdjsonLines(progress.watch(input.stream))) {
      await enqueueLines(producer, lines, summary, report)
      progress.update(summary.read)
    }
    await rejects?.begin()
    process.exitCode = summary.rejected > 0 ? EXIT.refused : EXIT.done
  } finally {
    progress.end()
    await producer.close()
    await rejects?.close()
    // Also where Redis went away midway: what is known is told, and then why it ended.
    if (options.json) printJson(summary)
    else printLine(describeSummary(summary))
  }
}

async function enqueueLines(
  producer: RunUpdateProducer,
  lines: readonly NdjsonLine[],
  summary: Summary,
  report: ReportRejected,
): Promise<void> {
  const good = lines.flatMap((line) => ('text' in line ? [line] : []))
  try {
    const results = await producer.enqueueTexts(good.map(({ text }) => text))
    await count(lines, results, summary, report)
  } catch (error) {
    if (error instanceof EnqueueInterruptedError) await count(lines, error.results, summary, report)
    throw error
  }
}

/** The results are those of the lines that have a text, in their order; those without one come at their place. */
async function count(
  lines: readonly NdjsonLine[],
  results: readonly EnqueueResult[],
  summary: Summary,
  report: ReportRejected,
): Promise<void> {
  let next = 0
  for (const line of lines) {
    const result = 'text' in line ? results[next++] : undefined
    // Redis went away before this line: nothing is known of it.
    if ('text' in line && result === undefined) return
    const error = 'error' in line ? line.error : result?.error
    summary.read++
    if (error) {
      summary.rejected++
      await report(line.line, error)
    } else if (result?.status === 'conflict') {
      summary.conflicts++
    } else if (result?.status === 'stale') {
      summary.stale++
    } else {
      summary.accepted++
    }
  }
}

function describeSummary({ read, accepted, stale, conflicts, rejected }: Summary): string {
  const parts = [`${accepted} accepted`, `${stale} stale`, `${plural(conflicts, 'conflict')}`, `${rejected} rejected`]
  return `${plural(read, 'update')} read: ${parts.join(', ')}`
}

async function openInput(file: string | undefined) {
  if (file === undefined || file === '-') {
    return { stream: process.stdin as AsyncIterable<Buffer>, bytes: undefined, identity: fstatSync(STANDARD_INPUT) }
  }
  const handle = await openFile(file)
  const stat = await handle.stat()
  if (stat.isDirectory()) {
    await handle.close()
    throw new UsageError(`${file} is a directory`)
  }
  const stream: AsyncIterable<Buffer> = createReadStream(file, { fd: handle, highWaterMark: CHUNK_BYTES })
  return { stream, bytes: stat.isFile() ? stat.size : undefined, identity: stat }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r')
  } catch (error) {
    throw new UsageError(`${file} can't be opened: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}
