import { Command } from 'commander'
import { createDiscardCommand } from './discard.js'
import { createExportCommand } from './export.js'
import { createListCommand } from './list.js'
import { createRetryCommand } from './retry.js'
import { createShowCommand } from './show.js'

/** What Sift refused for good: look at it, mend it, send it again, throw it away. */
export function createDeadLettersCommand(): Command {
  return new Command('dead-letters')
    .description('what was refused for good: list, show, retry, discard, export')
    .addCommand(createListCommand())
    .addCommand(createShowCommand())
    .addCommand(createRetryCommand())
    .addCommand(createDiscardCommand())
    .addCommand(createExportCommand())
}
