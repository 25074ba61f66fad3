import { Command, InvalidArgumentError } from 'commander'
import { DEAD_LETTER_REASONS, type DeadLetterReason } from '../dead-letters/dead-letter.js'
import { withLane } from './lane-session.js'
import { printLine } from './output.js'
import { addSettings, LANE_SETTINGS, readSettings } from './settings.js'

/** lane hold, lane open */
export function createLaneCommand(): Command {
  const lane = new Command('lane').description('close and open the lane by hand')
  lane.addCommand(createHoldCommand())
  lane.addCommand(createOpenCommand())
  return lane
}

function createHoldCommand(): Command {
  const command = new Command('hold')
    .description('close the lane until `lane open`: nothing is sent, updates are still taken in')
    .requiredOption('--why <text>', 'the reason, for whoever finds the lane closed', readWords)
    .action(async ({ why }: { why: string }) => {
      const config = readSettings(command)
      await withLane(config, ({ throttle }) => throttle.hold(why))
      printLine(`The lane ${config.QUEUE_NAME} is held. Open it with: sift-run-updater lane open`)
    })
  return addSettings(command, LANE_SETTINGS)
}

function createOpenCommand(): Command {
  const command = new Command('open')
    .description('open the lane, whatever has closed it')
    .option(
      '--accept <reason>',
      'dead letters of this reason, such as run_not_found, are no storm for an hour',
      readReason,
    )
    .action(async ({ accept }: { accept?: DeadLetterReason }) => {
      const config = readSettings(command)
      const { wasClosed } = await withLane(config, ({ throttle }) => throttle.open(accept))
      const accepted = accept === undefined ? '' : ` Dead letters of the reason ${accept} are accepted.`
      printLine(`The lane ${config.QUEUE_NAME} ${wasClosed ? 'is open again' : 'was open already'}.${accepted}`)
    })
  return addSettings(command, LANE_SETTINGS)
}

function readWords(text: string): string {
  if (text.trim() !== '') return text
  throw new InvalidArgumentError('Say why, in some words.')
}

function readReason(text: string): DeadLetterReason {
  const reason = DEAD_LETTER_REASONS.find((known) => known === text)
  if (reason !== undefined) return reason
  throw new InvalidArgumentError(`It must be one of ${DEAD_LETTER_REASONS.join(', ')}.`)
}
