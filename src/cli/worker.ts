import { Command, InvalidArgumentError } from 'commander'
import { type Config, readApiKey, workerOptions } from '../config.js'
import { ConfigurationError } from '../errors.js'
import type { MetricsServer } from '../http/metrics-server.js'
import { createLogger, logFacts } from '../logging.js'
import { describeRedis } from '../redis/connection.js'
import { createWorker, type RunUpdateWorker } from '../worker/worker.js'
import { drain } from './drain.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { onStop } from './interrupt.js'
import { printLine } from './output.js'
import { addSettings, readSettings, WORKER_SETTINGS } from './settings.js'
import { serveWorkerMetrics } from './worker-metrics.js'

/** Requests in flight may finish; whatever hangs for longer is cut. A container is killed after ten seconds. */
const CLOSE_TIMEOUT_MS = 8_000

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
  const stop = onStop()
  const worker = createWorker(workerOptions(config, apiKey))
  logFacts(worker.facts, createLogger(config.LOG_LEVEL))
  let metrics: MetricsServer | undefined
  try {
    const port = config.METRICS_PORT
    metrics = port === undefined ? undefined : await serveWorkerMetrics(config, port, worker.facts)
    const metricsUrl = metrics?.url
    void worker.ready().then(
      () => printLine(describeWorker(config, metricsUrl)),
      () => {},
    )
    return options.drain ? await drain(config, worker, stop, options.timeout) : await runUntil(stop, worker)
  } finally {
    await close(worker)
    await metrics?.close()
  }
}

async function runUntil(stop: AbortSignal, worker: RunUpdateWorker): Promise<ExitCode> {
  const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()))
  const failed = new Promise<never>((_resolve, reject) => worker.ready().catch(reject))
  await Promise.race([stopped, failed])
  return EXIT.done
}

/** Where Redis is away, BullMQ may wait for it in vain: nothing is lost by leaving then. */
async function close(worker: RunUpdateWorker): Promise<void> {
  const deadline = setTimeout(() => process.exit(), CLOSE_TIMEOUT_MS + 1_000)
  await worker.close({ timeoutMs: CLOSE_TIMEOUT_MS })
  clearTimeout(deadline)
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
