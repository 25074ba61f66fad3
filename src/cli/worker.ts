import { Command, InvalidArgumentError } from 'commander'
import { type Config, readApiKey, workerOptions } from '../config.js'
import { ConfigurationError } from '../errors.js'
import type { FactEmitter } from '../events.js'
import type { MetricsServer } from '../http/metrics-server.js'
import { createLogger, logFacts } from '../logging.js'
import { describeRedis } from '../redis/redis-source.js'
import { createWorker, type RunUpdateWorker } from '../worker/worker.js'
import { drain } from './drain.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { leaveSoon, onStop } from './interrupt.js'
import { printLine } from './output.js'
import { addSettings, readSettings, WORKER_SETTINGS } from './settings.js'

/** Requests in flight may finish; whatever hangs for longer is cut, within two seconds more. A container has ten. */
const CLOSE_TIMEOUT_MS = 6_500

/** After a second signal: time to give jobs back, no more. */
const HURRIED_CLOSE_MS = 1_000

interface WorkerCommandOptions {
  readonly drain?: true
  readonly timeout?: number
}

export function createWorkerCommand(): Command {
  const command = new Command('worker')
    .description('send what is pending, until SIGTERM or Ctrl-C')
    .option('--drain', 'send all that is pending without waiting for windows, then end')
    .option('--timeout <seconds>', 'with --drain: give up after so long, with exit code 1', readSeconds)
    .action(async (options: WorkerCommandOptions) => {
      if (options.timeout !== undefined && !options.drain) command.error('error: --timeout needs --drain')
      const config = readSettings(command, { needsApiKey: true })
      process.exitCode = await runWorker(config, options)
    })
  return addSettings(command, WORKER_SETTINGS)
}

async function runWorker(config: Config, options: WorkerCommandOptions): Promise<ExitCode> {
  const apiKey = await readApiKey(config)
  if (!apiKey) throw new ConfigurationError(['SIFT_API_KEY is not set'])
  const worker = createWorker(workerOptions(config, apiKey))
  const logger = createLogger(config.LOG_LEVEL)
  logFacts(worker.facts, logger)
  const stop = onStop(() => {
    setTimeout(() => process.exit(EXIT.done), HURRIED_CLOSE_MS)
    void worker.close({ timeoutMs: 0 })
  })
  stop.addEventListener('abort', () =>
    logger.info('closing; requests in flight may finish (a second signal cuts them)'),
  )
  let metrics: MetricsServer | undefined
  try {
    const port = config.METRICS_PORT
    metrics = port === undefined ? undefined : await serveMetrics(config, port, worker.facts)
    const metricsUrl = metrics?.url
    void worker.ready().then(
      () => printLine(describeWorker(config, metricsUrl)),
      () => {},
    )
    return options.drain ? await drain(config, worker, stop, options.timeout) : await runUntil(stop, worker)
  } finally {
    await worker.close({ timeoutMs: CLOSE_TIMEOUT_MS })
    await metrics?.close()
    leaveSoon()
  }
}

async function runUntil(stop: AbortSignal, worker: RunUpdateWorker): Promise<ExitCode> {
  const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()))
  const failed = new Promise<never>((_resolve, reject) => worker.ready().catch(reject))
  await Promise.race([stopped, failed])
  return EXIT.done
}

function describeWorker(config: Config, metricsUrl: string | undefined): string {
  const rate = `${config.RATE_LIMIT_MAX} requests in ${config.RATE_LIMIT_DURATION_MS} ms`
  return `worker ready: lane ${config.QUEUE_NAME}, Redis ${describeRedis(config.REDIS_URL)}, Sift ${config.SIFT_REST_URL}, ${rate}, ${config.CONCURRENCY} jobs at a time${metricsUrl === undefined ? '' : `, metrics ${metricsUrl}`}`
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && seconds > 0 && seconds <= 86_400) return seconds
  throw new InvalidArgumentError('It must be a number of seconds, at most a day.')
}

/** Loaded only here: most commands, and most workers, have no use for a web server. */
async function serveMetrics(config: Config, port: number, facts: FactEmitter): Promise<MetricsServer> {
  const { serveWorkerMetrics } = await import('./worker-metrics.js')
  return await serveWorkerMetrics(config, port, facts)
}
