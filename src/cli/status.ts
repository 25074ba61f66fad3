import { setTimeout as delay } from 'node:timers/promises'
import Table from 'cli-table3'
import { Command } from 'commander'
import { type LaneStatus, readStatus } from '../worker/status.js'
import { onStop } from './interrupt.js'
import { withLane } from './lane-session.js'
import { endWithReader, formatSpan, oneLine, plural, printJson, printLine } from './output.js'
import { addSettings, LANE_SETTINGS, readSettings } from './settings.js'

const REDRAW_EVERY_MS = 1_000

/** Clears the screen, and everything that has scrolled off it stays. */
const CLEAR_SCREEN = '\u001b[2J\u001b[H'

export function createStatusCommand(): Command {
  const command = new Command('status')
    .description('what is pending, how long sending it takes, dead letters, the state of the lane')
    .option('--watch', 'look again every second, until Ctrl-C')
    .option('--json', 'print JSON; with --watch a line a second')
    .action(async ({ watch, json }: { watch?: true; json?: true }) => {
      endWithReader()
      const config = readSettings(command)
      const rate = { max: config.RATE_LIMIT_MAX, durationMs: config.RATE_LIMIT_DURATION_MS }
      await withLane(config, async (session) => {
        const show = async () => {
          const [status, { detail }, isPaused] = await Promise.all([
            readStatus({ ...session, rate }),
            session.throttle.read(),
            session.flushQueue.queue.isPaused(),
          ])
          if (json) return printJson(status)
          const clear = watch && process.stdout.isTTY ? CLEAR_SCREEN : ''
          printLine(`${clear}${render(config.QUEUE_NAME, status, { detail, isPaused })}`)
        }
        await show()
        if (!watch) return
        const stop = onStop()
        while (await elapsed(REDRAW_EVERY_MS, stop)) await show()
      })
    })
  return addSettings(command, [...LANE_SETTINGS, 'RATE_LIMIT_MAX', 'RATE_LIMIT_DURATION_MS'])
}

/** False: stopped first. */
async function elapsed(ms: number, signal: AbortSignal): Promise<boolean> {
  await delay(ms, undefined, { signal }).catch(() => {})
  return !signal.aborted
}

function render(
  queueName: string,
  { pendingRuns, oldestPendingAgeMs, drainEstimateMs, ...status }: LaneStatus,
  { detail, isPaused }: { readonly detail: string | null; readonly isPaused: boolean },
): string {
  const { jobs, deadLetters } = status
  const reasons = Object.entries(deadLetters.byReason).map(([reason, count]) => `${reason} ${count}`)
  const table = new Table({
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  })
  table.push(
    ['lane', queueName],
    ['state', describeState(status.throttle, detail)],
    ...(isPaused ? [['queue', 'paused: nothing is sent before it is resumed in BullMQ']] : []),
    [
      'pending',
      pendingRuns === 0 ? 'nothing' : `${plural(pendingRuns, 'run')}, the oldest for ${formatSpan(oldestPendingAgeMs)}`,
    ],
    ['sending all', pendingRuns === 0 ? 'nothing to send' : `about ${formatSpan(drainEstimateMs)} at this rate`],
    [
      'jobs',
      `${jobs.waiting} waiting, ${jobs.delayed} delayed, ${jobs.active} active, ${jobs.completed} completed, ${jobs.failed} failed`,
    ],
    ['dead letters', deadLetters.total === 0 ? 'none' : `${deadLetters.total}\n${reasons.join('\n')}`],
  )
  return table.toString()
}

/** `detail`: the answer that closed the lane, or the operator's words. */
function describeState({ state, reason, since, until }: LaneStatus['throttle'], detail: string | null): string {
  if (state === 'open') return 'open'
  const end = until === null ? 'until an operator opens it: sift-run-updater lane open' : `until ${until}, then probed`
  return [`HELD: ${reason}`, ...(detail === null ? [] : [oneLine(detail)]), `since ${since}`, end].join('\n')
}
