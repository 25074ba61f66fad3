import { Command } from 'commander'
import type { Config } from '../../config.js'
import { type DeadLetter, toListing } from '../../dead-letters/dead-letter.js'
import { parseStamp } from '../../pending/entry.js'
import { formatMicroseconds } from '../../run/timestamp.js'
import { EXIT } from '../exit-codes.js'
import { withLane } from '../lane-session.js'
import { formatSpan, printJson, printLine, tell } from '../output.js'
import { addSettings, LANE_SETTINGS, readSettings } from '../settings.js'
import { oneLine } from './one-line.js'
import { replayCommand } from './replay-command.js'

export function createShowCommand(): Command {
  const command = new Command('show')
    .description('one dead letter: what would have been sent, who wrote it, the answer, each try, how to replay it')
    .argument('<id>', 'the dead letter')
    .option('--json', 'print JSON')
    .action(async (id: string, { json }: { json?: true }) => {
      const config = readSettings(command)
      await withLane(config, async ({ deadLetters }) => {
        const job = await deadLetters.find(id)
        if (!job) {
          tell(`There is no dead letter ${id}.`)
          process.exitCode = EXIT.refused
          return
        }
        const { logs } = await deadLetters.queue.getJobLogs(id)
        const report = describeLetter(job.data, logs, config)
        if (json) printJson(report)
        else printLine(render(report, Date.now()))
      })
    })
  return addSettings(command, LANE_SETTINGS)
}

type Report = ReturnType<typeof describeLetter>

function describeLetter(letter: DeadLetter, logs: readonly string[], config: Config) {
  const { tries, stamps, raw } = letter
  return {
    ...toListing(letter),
    writes: Object.entries(stamps).flatMap(([field, stamp]) => {
      const write = parseStamp(stamp)
      return write ? [{ field, observedAt: formatMicroseconds(write.observedUs), source: write.source || null }] : []
    }),
    tries,
    /** Retries of this letter that failed. */
    retries: logs,
    ...(raw !== undefined && { raw }),
    replay: replayCommand(letter, config),
  }
}

function render(report: Report, nowMs: number): string {
  const { id, runId, run, updateMask, reason, message, heldClientKey, writes, tries, retries, raw, replay } = report
  const answer = [report.httpStatus && `HTTP ${report.httpStatus}`, report.code && `code ${report.code}`].filter(
    Boolean,
  )
  const age = formatSpan(Math.max(0, nowMs - Date.parse(report.deadLetteredAt)))
  return [
    `Dead letter ${id}`,
    `  run      ${runId}`,
    `  since    ${oneLine(report.deadLetteredAt)} (${age} ago)`,
    `  reason   ${oneLine(reason)}`,
    `  answer   ${[...answer, oneLine(message)].join(', ')}`,
    ...(heldClientKey === undefined ? [] : [`  held by  the client key ${JSON.stringify(heldClientKey)}`]),
    ...section(
      'Would have been sent',
      updateMask === '' ? [] : JSON.stringify({ run, updateMask }, null, 2).split('\n'),
    ),
    ...section('Could not be read', raw ? JSON.stringify(raw, null, 2).split('\n') : []),
    ...section(
      'Written',
      writes.map(
        ({ field, observedAt, source }) => `${field}, observed ${observedAt}, by ${source ?? 'no named source'}`,
      ),
    ),
    ...section('Tries', tries),
    ...section('Retries that failed', retries),
    '',
    ...(replay === null
      ? ['It cannot be replayed: enqueue what it should have been, and discard it.']
      : ['Replay it with', `  ${replay}`]),
  ].join('\n')
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line.replace(/\p{Cc}+/gu, ' ')}`)]
}
