import { Command } from 'commander'
import { type FlushedNow, flushAllNow, flushNow, QUEUE_PAUSED } from '../flush-queue/flush-now.js'
import { UsageError } from './exit-codes.js'
import { withLane } from './lane-session.js'
import { plural, printJson, printLine, tell } from './output.js'
import { readRunIdArgument } from './run-id-argument.js'
import { addSettings, LANE_SETTINGS, readSettings } from './settings.js'

const SENTENCES: Readonly<Record<FlushedNow, string>> = {
  hastened: 'is sent now',
  reopened: 'had lost its job, has a new one, and is sent now',
  on_its_way: 'is on its way already',
  unreadable: 'was not sent: Redis holds something else under the key of its pending update; delete or rename that key',
  nothing_pending: 'has nothing pending',
}

/** Where the queue is paused, what is told above would be wrong. */
const PAUSED_SENTENCES: Readonly<Record<FlushedNow, string>> = {
  ...SENTENCES,
  hastened: 'is sent once the queue is resumed',
  reopened: 'had lost its job, has a new one, and is sent once the queue is resumed',
  on_its_way: 'has its turn already; where no worker has it yet, it is sent once the queue is resumed',
}

type FlushCounts = Record<FlushedNow, number>

export function createFlushCommand(): Command {
  const command = new Command('flush')
    .description('send now, without waiting for window or backoff; a hold is not passed by')
    .argument('[run-id]', 'the run to send', readRunIdArgument)
    .option('--all', 'every run that is pending')
    .option('--json', 'print JSON')
    .action(async (runId: string | undefined, { all, json }: { all?: true; json?: true }) => {
      if ((runId === undefined) === (all === undefined)) {
        throw new UsageError('give either a run id or --all')
      }
      const config = readSettings(command)
      await withLane(config, async (session) => {
        const isPaused = await session.flushQueue.queue.isPaused()
        const paused = isPaused && { queuePaused: true }
        if (runId !== undefined) {
          const flushed = await flushNow(session, runId)
          if (json) printJson({ runId, result: flushed, ...paused })
          else printLine(`Run ${runId} ${(isPaused ? PAUSED_SENTENCES : SENTENCES)[flushed]}.`)
        } else {
          const counts: FlushCounts = { hastened: 0, reopened: 0, on_its_way: 0, nothing_pending: 0, unreadable: 0 }
          await flushAllNow(session, (_runId, flushed) => {
            counts[flushed]++
          })
          if (json) printJson({ ...counts, ...paused })
          else printLine(describeCounts(counts, isPaused))
        }
        if (isPaused) tell(QUEUE_PAUSED)
        const lane = await session.throttle.read()
        if (lane.state === 'held') tell(`The lane is held (${lane.reason}): nothing is sent before it opens.`)
      })
    })
  return addSettings(command, LANE_SETTINGS)
}

function describeCounts(counts: FlushCounts, isPaused: boolean): string {
  const { hastened, reopened, on_its_way, nothing_pending, unreadable } = counts
  const runs = hastened + reopened
  if (runs + on_its_way + nothing_pending + unreadable === 0) return 'Nothing is pending.'
  const lost = reopened > 0 ? ` (${reopened} had lost their job)` : ''
  const odd = unreadable > 0 ? `, ${unreadable} unreadable: see \`flush RUN_ID\`` : ''
  const when = isPaused ? 'to be sent once the queue is resumed' : 'sent now'
  return `${plural(runs, 'run')} ${when}${lost}, ${on_its_way + nothing_pending} on their way already${odd}.`
}
