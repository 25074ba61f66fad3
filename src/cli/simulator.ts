import { Command, InvalidArgumentError } from 'commander'
import { startSimulator } from '../simulator/simulator.js'
import { UsageError } from './exit-codes.js'
import { onStop } from './interrupt.js'
import { printLine } from './output.js'

const DEFAULT_PORT = 8080

interface SimulatorCommandOptions {
  readonly port: number
  readonly host: string
  readonly apiKey?: string
  readonly createRuns?: true
  readonly latencyMs?: number
  readonly errorRate?: number
  readonly lostAnswerRate?: number
  readonly cutRate?: number
  readonly rateLimit?: number
}

export function createSimulatorCommand(): Command {
  return new Command('simulator')
    .description('a Sift API on this machine, with faults on demand')
    .option('--port <number>', '0: a free one, which is printed', wholeNumber(0, 65_535), DEFAULT_PORT)
    .option('--host <address>', 'where it listens; a container needs 0.0.0.0', '127.0.0.1')
    .option('--api-key <key>', 'the only key that is taken (default: any)')
    .option('--create-runs', 'a run is made on first sight (default: it is not found)')
    .option('--latency-ms <ms>', 'every answer comes so much later', wholeNumber(0, 3_600_000))
    .option('--error-rate <share>', 'share of requests answered 500 or 503, 0 to 1', share)
    .option('--lost-answer-rate <share>', 'share applied, then cut without an answer, 0 to 1', share)
    .option('--cut-rate <share>', 'share cut before anything is applied, 0 to 1', share)
    .option('--rate-limit <count>', 'requests a second; those above get a 429', wholeNumber(1, 1_000_000))
    .action(async (options: SimulatorCommandOptions) => {
      const stop = onStop()
      const simulator = await start(options)
      printLine(`simulator ready: ${simulator.url}`)
      if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve))
      await simulator.close()
    })
}

async function start({
  port,
  host,
  apiKey,
  createRuns,
  latencyMs,
  errorRate,
  lostAnswerRate,
  cutRate,
  rateLimit,
}: SimulatorCommandOptions) {
  try {
    return await startSimulator({
      port,
      host,
      createRuns: createRuns ?? false,
      ...(apiKey !== undefined && { apiKey }),
      faults: {
        latencyMs: latencyMs ?? 0,
        ...(errorRate !== undefined && { errors: { 500: errorRate / 2, 503: errorRate / 2 } }),
        lostAnswerRate: lostAnswerRate ?? 0,
        cutBeforeRate: cutRate ?? 0,
        ...(rateLimit !== undefined && { rateLimit: { max: rateLimit, durationMs: 1_000 } }),
      },
    })
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      throw new UsageError(`port ${port} can't be listened on (${error.message}); choose another with --port`)
    }
    throw error
  }
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  }
}

function share(text: string): number {
  const number = Number(text)
  if (/^[\d.]+$/.test(text) && number >= 0 && number <= 1) return number
  throw new InvalidArgumentError('It must be a number from 0 to 1.')
}
