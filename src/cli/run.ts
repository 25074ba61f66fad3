import Table from 'cli-table3'
import { Command } from 'commander'
import { isWrongType } from '../flush-queue/flush-now.js'
import { type PendingReport, type RunReport, readRunReport } from '../worker/run-report.js'
import { EXIT } from './exit-codes.js'
import { type LaneSession, withLane } from './lane-session.js'
import { plural, printJson, printLine, tell } from './output.js'
import { readRunIdArgument } from './run-id-argument.js'
import { addSettings, LANE_SETTINGS, readSettings } from './settings.js'

const LONGEST_VALUE = 60

export function createRunCommand(): Command {
  const command = new Command('run')
    .description('what is pending for a run, what was last sent, its dead letters')
    .argument('<run-id>', 'the run to look at', readRunIdArgument)
    .option('--json', 'print JSON')
    .action(async (runId: string, { json }: { json?: true }) => {
      await withLane(readSettings(command), async (session) => {
        const report = await read(session, runId)
        if (!report) {
          const { lane } = session
          tell(
            `error: Redis holds something else under a key of run ${runId}: delete or rename ${lane.pending(runId)} or ${lane.sent(runId)}`,
          )
          process.exitCode = EXIT.refused
        } else if (json) printJson(report)
        else printLine(render(report))
      })
    })
  return addSettings(command, LANE_SETTINGS)
}

/** Undefined: a person has put something else there. */
async function read(session: LaneSession, runId: string): Promise<RunReport | undefined> {
  try {
    return await readRunReport(session, runId)
  } catch (error) {
    if (isWrongType(error)) return undefined
    throw error
  }
}

function render({ runId, pending, lastSent, applied, deadLetters }: RunReport): string {
  const lines = [`Run ${runId}`, '']
  lines.push(...(pending ? renderPending(pending) : ['Nothing is pending.']))
  lines.push('', lastSent ? `Last sent: ${describeOutcome(lastSent)}` : 'Nothing is known of an earlier PATCH.')
  const fields = Object.entries(applied).map(([path, { observedAt }]) => `${path} (observed ${observedAt})`)
  if (fields.length > 0) lines.push(`Applied so far: ${fields.join(', ')}`)
  lines.push('', deadLetters.length === 0 ? 'No dead letters.' : `${plural(deadLetters.length, 'dead letter')}:`)
  for (const { id, updateMask, reason, message } of deadLetters) {
    lines.push(`  ${id}  ${updateMask || '(unreadable)'}  ${reason}: ${message}`)
  }
  return lines.join('\n')
}

function renderPending(pending: PendingReport): string[] {
  const { updates, openedAt, fields, corruptFields, failures, tries, lastFailure, leasedUntil } = pending
  const table = new Table({
    head: ['field', 'value', 'observed at', 'arrived at', 'source', 'redrives'],
    style: { head: [], border: [] },
  })
  for (const { path, value, observedAt, arrivedAt, source, redrives } of fields) {
    table.push([
      path,
      value === null ? '(cleared)' : shorten(JSON.stringify(value)),
      observedAt,
      arrivedAt,
      source ?? '',
      redrives,
    ])
  }
  const lines = [`Pending since ${openedAt}, ${plural(updates, 'update')}:`, table.toString()]
  if (corruptFields.length > 0) lines.push(`Can't be read: ${corruptFields.join(', ')}`)
  if (tries > 0)
    lines.push(`Failed ${plural(tries, 'time')}, of which ${failures} count. Last: ${describeOutcome(lastFailure)}`)
  if (leasedUntil !== null) lines.push(`A worker is at it, or it rests, until ${leasedUntil} at the latest.`)
  return lines
}

/** Outcomes are kept as JSON for people; an older worker's may have other keys. */
function describeOutcome(outcome: unknown): string {
  const { at, updateMask, status, reason, message, deadLetter, text } = (outcome ?? {}) as Record<string, unknown>
  const parts = [updateMask, status, reason, message, deadLetter && `dead letter ${deadLetter}`, text, at && `at ${at}`]
  return parts.filter((part) => part !== undefined && part !== null && part !== '').join(', ') || 'unknown'
}

function shorten(text: string): string {
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text
}
