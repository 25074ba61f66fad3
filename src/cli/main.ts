#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { SiftRunUpdaterError } from '../errors.js'
import { isRedisTrouble } from '../redis/trouble.js'
import { createCheckCommand } from './check.js'
import { createDeadLettersCommand } from './dead-letters/dead-letters.js'
import { createDemoCommand } from './demo/demo.js'
import { createEnqueueCommand } from './enqueue.js'
import { EXIT_CODES_HELP, exitCodeOf } from './exit-codes.js'
import { createFlushCommand } from './flush.js'
import { createLaneCommand } from './lane.js'
import { outliveOutput, tell } from './output.js'
import { createRunCommand } from './run.js'
import { createServeCommand } from './serve.js'
import { createSimulatorCommand } from './simulator.js'
import { createStatusCommand } from './status.js'
import { createWorkerCommand } from './worker.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

function createProgram(): Command {
  const program = new Command('sift-run-updater')
    .description('Merges partial updates of Sift runs in Redis, and sends each run as one PATCH.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(add --help to see how it is used)')
    .addHelpText('afterAll', EXIT_CODES_HELP)
  const commands = [
    createDemoCommand(),
    createCheckCommand(),
    createEnqueueCommand(),
    createWorkerCommand(),
    createServeCommand(),
    createStatusCommand(),
    createLaneCommand(),
    createRunCommand(),
    createFlushCommand(),
    createDeadLettersCommand(),
    createSimulatorCommand(),
  ]
  for (const command of commands) {
    program.addCommand(command)
    inheritSettings(command, program)
  }
  return program
}

/** commander passes them on to commands that it makes itself only. */
function inheritSettings(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent)
  for (const child of command.commands) inheritSettings(child, command)
}

/** Words an error for the person who reads it: a stack helps only with a bug of ours. */
function describeError(error: unknown): string {
  if (error instanceof SiftRunUpdaterError) return `error: ${error.message}`
  if (isRedisTrouble(error)) return `error: trouble with Redis: ${error.message}`
  // Of the system: a file, a port.
  if (error instanceof Error && 'syscall' in error) return `error: ${error.message}`
  return `unexpected error, please report it: ${error instanceof Error ? error.stack : String(error)}`
}

outliveOutput()

try {
  await createProgram().parseAsync()
} catch (error) {
  // commander has told its own errors already.
  if (!(error instanceof CommanderError)) tell(describeError(error))
  process.exitCode = exitCodeOf(error)
}
