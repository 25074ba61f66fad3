import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { type Config, policyOptions, producerOptions, readApiKey, refuseOpenAddress, workerOptions } from '../config.js'
import { ConfigurationError } from '../errors.js'
import type { LaneServer } from '../http/lane-server.js'
import { createLogger, type Logger, logFacts } from '../logging.js'
import { describeRedis } from '../redis/redis-source.js'
import { createWorker, type RunUpdateWorker } from '../worker/worker.js'
import { leaveSoon, onStop } from './interrupt.js'
import { printLine } from './output.js'
import { addSettings, readSettings, WORKER_SETTINGS } from './settings.js'

/** How long it is not ready, and serves as ever, before it closes: load balancers look every second or two. */
const NOT_READY_MS = 2_000

/** Requests in flight may finish; whatever hangs for longer is cut, within two seconds more. A container has ten in all. */
const CLOSE_TIMEOUT_MS = 5_000

/** Characters. A shorter token may be a word. */
const SHORT_TOKEN = 16

interface ServeCommandOptions {
  readonly worker?: true
}

export function createServeCommand(): Command {
  const command = new Command('serve')
    .description('take updates in over HTTP, and show what is going on, until SIGTERM or Ctrl-C')
    .option('--worker', 'run a worker in the same process')
    .action(async ({ worker }: ServeCommandOptions) => {
      await serve(readSettings(command, { needsApiKey: worker ?? false }), worker ?? false)
    })
  return addSettings(command, [
    ...WORKER_SETTINGS.filter((variable) => variable !== 'METRICS_PORT'),
    'PORT',
    'MAX_PENDING_RUNS',
    'MAX_REDIS_MEMORY_PERCENT',
  ])
}

async function serve(config: Config, hasWorker: boolean): Promise<void> {
  refuseOpenAddress(config)
  const logger = createLogger(config.LOG_LEVEL)
  if (config.AUTH_TOKEN !== undefined && config.AUTH_TOKEN.length < SHORT_TOKEN) {
    logger.warn('AUTH_TOKEN is short enough to be guessed; make a better one with: openssl rand -hex 32')
  }
  const stop = onStop()
  const worker = hasWorker ? await startWorker(config, logger) : undefined
  let server: LaneServer | undefined
  try {
    server = await listen(config, logger, worker)
    await worker?.ready()
    printLine(describe(config, server.url, hasWorker))
    await stopped(stop)
    server.stopServing()
    await delay(NOT_READY_MS)
  } finally {
    // The worker last but for its patience: what it sends meanwhile is still told to those who wait.
    await Promise.all([server?.close({ timeoutMs: CLOSE_TIMEOUT_MS }), worker?.close({ timeoutMs: CLOSE_TIMEOUT_MS })])
    leaveSoon()
  }
}

async function startWorker(config: Config, logger: Logger): Promise<RunUpdateWorker> {
  const apiKey = await readApiKey(config)
  if (!apiKey) throw new ConfigurationError(['SIFT_API_KEY is not set'])
  const worker = createWorker(workerOptions(config, apiKey))
  logFacts(worker.facts, logger)
  return worker
}

async function listen(config: Config, logger: Logger, worker: RunUpdateWorker | undefined): Promise<LaneServer> {
  const { HOST: host, PORT: port, AUTH_TOKEN: authToken } = config
  // Only here: a web server, Bull Board and its pages are a third of what every other command would load.
  const { startLaneServer } = await import('../http/lane-server.js')
  try {
    return await startLaneServer({
      ...producerOptions(config),
      policy: policyOptions(config),
      rate: { max: config.RATE_LIMIT_MAX, durationMs: config.RATE_LIMIT_DURATION_MS },
      host,
      port,
      authToken,
      logger,
      worker,
    })
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error && error.syscall !== 'connect')) throw error
    throw new ConfigurationError([`${host}:${port} can't be listened on: ${error.message}; set HOST and PORT`])
  }
}

function stopped(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve())
  })
}

function describe(config: Config, url: string, hasWorker: boolean): string {
  const lane = `lane ${config.QUEUE_NAME}, Redis ${describeRedis(config.REDIS_URL)}`
  const rate = `${config.RATE_LIMIT_MAX} requests in ${config.RATE_LIMIT_DURATION_MS} ms`
  const work = hasWorker ? `, with a worker: Sift ${config.SIFT_REST_URL}, ${rate}` : ', without a worker'
  return `serving ${url}: ${lane}${work}`
}
