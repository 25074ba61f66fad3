import { Command } from 'commander'
import { type FlushedNow, flushAllNow, flushNow } from '../flush-queue/flush-now.js'
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
        if (runId !== undefined) {
          const flushed = await flushNow(session, runId)
          if (json) printJson({ runId, result: flushed })
          else printLine(`Run ${runId} ${SENTENCES[flushed]}.`)
        } else {
          const counts: FlushCounts = { hastened: 0, reopened: 0, on_its_way: 0, nothing_pending: 0, unreadable: 0 }
          await flushAllNow(session, (_runId, flushed) => {
            counts[flushed]++
          })
          if (json) printJson(counts)
          else printLine(describeCounts(counts))
        }
        if (await session.flushQueue.queue.isPaused()) {
          tell('The queue is paused in BullMQ: nothing is sent before it is resumed, in a dashboard for one.')
        }
        const lane = await session.throttle.read()
        if (lane.state === 'held') tell(`The lane is held (${lane.reason}): nothing is sent before it opens.`)
      })
    })
  return addSettings(command, LANE_SETTINGS)
}

function describeCounts({ hastened, reopened, on_its_way, nothing_pending, unreadable }: FlushCounts): string {
  const runs = hastened + reopened
  if (runs + on_its_way + nothing_pending + unreadable === 0) return 'Nothing is pending.'
  const lost = reopened > 0 ? ` (${reopened} had lost their job)` : ''
  const odd = unreadable > 0 ? `, ${unreadable} unreadable: see \`flush RUN_ID\`` : ''
  return `${plural(runs, 'run')} sent now${lost}, ${on_its_way + nothing_pending} on their way already${odd}.`
}
