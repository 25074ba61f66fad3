import { Command, InvalidArgumentError } from 'commander'
import { readConfig, readEnvironment } from '../../config.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { onStop } from '../interrupt.js'
import { printJson, printLine, tell } from '../output.js'
import { RedisServerNotFoundError } from './fetch-redis.js'
import { liveView } from './live-view.js'
import { differencesText, reportText } from './report.js'
import { runShow, type ShowResult } from './show.js'
import { terminalOf } from './terminal.js'

interface DemoOptions {
  readonly duration: number
  readonly runs: number
  readonly rate: number
  readonly json?: true
}

/** `demo`: the whole thing on this machine, with nothing to set up. */
export function createDemoCommand(): Command {
  return new Command('demo')
    .description(
      'shows the whole thing on this machine, with a simulated Sift and, unless REDIS_URL is set, a Redis of its own',
    )
    .option('--duration <seconds>', 'how long updates are sent', wholeNumber(1, 3_600), 20)
    .option('--runs <number>', 'how many runs they are for', wholeNumber(1, 100_000), 200)
    .option('--rate <updates per second>', 'how many updates are sent', wholeNumber(1, 20_000), 2_000)
    .option('--json', 'print the figures as one line of JSON')
    .action(demo)
}

async function demo({ duration, runs, rate, json }: DemoOptions): Promise<void> {
  const settings = { durationMs: duration * 1_000, runs, updatesPerSecond: rate, redisUrl: givenRedisUrl() }
  const stopped = onStop()
  const view = liveView(process.stderr)
  try {
    const result = await runShow(settings, view, stopped)
    view.end()
    report(result, json === true)
  } catch (error) {
    view.end()
    // What else goes wrong in the middle of an interruption, is of it.
    if (!stopped.aborted) throw asUsageError(error)
    tell('Stopped before the end, so nothing was compared.')
    process.exitCode = EXIT.refused
  }
}

/** Undefined where none is configured: the lane's default is for those who have a Redis. */
function givenRedisUrl(): string | undefined {
  const { REDIS_URL } = readEnvironment()
  return REDIS_URL ? readConfig({ REDIS_URL }).REDIS_URL : undefined
}

function report({ figures, differences, crashes }: ShowResult, asJson: boolean): void {
  if (asJson) printJson(figures)
  else printLine(reportText(figures, terminalOf(process.stdout)))
  if (differences.length > 0) tell(differencesText(differences))
  for (const crash of crashes) tell(`A worker met a bug: ${crash}`)
  if (figures.differing > 0) process.exitCode = EXIT.refused
}

/** The way out of a missing Redis is an installation, and its message says which. */
function asUsageError(error: unknown): unknown {
  return error instanceof RedisServerNotFoundError ? new UsageError(error.message, { cause: error }) : error
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  }
}
