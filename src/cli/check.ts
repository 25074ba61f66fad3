import { Queue } from 'bullmq'
import { Command } from 'commander'
import type { Redis } from 'ioredis'
import { type Config, readApiKey } from '../config.js'
import { ConfigurationError, RedisUnavailableError } from '../errors.js'
import { LAYOUT_VERSION } from '../pending/layout.js'
import { laneOf } from '../redis/lane.js'
import { describeRedis } from '../redis/redis-source.js'
import { mayEvict, readServerSetup, refuseOldServer, type ServerSetup } from '../redis/server-check.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { withRedis } from './lane-session.js'
import { printJson, printLine } from './output.js'
import { probeSift } from './probe-sift.js'
import { addSettings, LANE_SETTINGS, readSettings } from './settings.js'

type Level = 'ok' | 'warning' | 'failure'

interface Finding {
  readonly check: string
  readonly level: Level
  readonly message: string
  /** Redis or Sift could not be reached. */
  readonly isUnreachable?: true
}

export function createCheckCommand(): Command {
  const command = new Command('check')
    .description('check the configuration, Redis and the API key; changes nothing')
    .option('--json', 'print JSON, a line each')
    .action(async ({ json }: { json?: true }) => {
      const config = readSettings(command)
      const findings: Finding[] = []
      for await (const finding of check(config)) {
        findings.push(finding)
        const { check: name, level, message } = finding
        if (json) printJson({ check: name, level, message })
        else printLine(`${level.padEnd('failure'.length)}  ${name}: ${message}`)
      }
      process.exitCode = exitCode(findings)
    })
  return addSettings(command, [...LANE_SETTINGS, 'SIFT_REST_URL', 'SIFT_API_KEY_FILE', 'REQUEST_TIMEOUT_MS'])
}

function exitCode(findings: readonly Finding[]): ExitCode {
  if (findings.some(({ isUnreachable }) => isUnreachable)) return EXIT.unreachable
  return findings.some(({ level }) => level === 'failure') ? EXIT.refused : EXIT.done
}

async function* check(config: Config): AsyncGenerator<Finding> {
  yield ok('configuration', `lane ${config.QUEUE_NAME}, prefix ${config.QUEUE_PREFIX}`)
  try {
    const { setup, layout, pausedQueues } = await withRedis(config.REDIS_URL, async (redis) => {
      const setup = await readServerSetup(redis)
      return {
        setup,
        layout: await readLayout(redis, config),
        // BullMQ refuses an old server by throwing.
        pausedQueues: setup.isTooOld ? [] : await readPausedQueues(redis, config),
      }
    })
    yield judgeVersion(setup, describeRedis(config.REDIS_URL))
    yield judgeEviction(setup)
    yield judgePersistence(setup)
    yield judgeLayout(layout)
    if (pausedQueues.length > 0) yield judgePause(pausedQueues)
  } catch (error) {
    if (error instanceof RedisUnavailableError) yield { ...failure('redis', error.message), isUnreachable: true }
    else if (error instanceof ConfigurationError) yield failure('redis', error.message)
    else throw error
  }
  yield await checkSift(config)
}

function judgeVersion(setup: ServerSetup, where: string): Finding {
  try {
    refuseOldServer(setup)
    return ok('redis', `version ${setup.version} at ${where}`)
  } catch (error) {
    return failure('redis', error instanceof Error ? error.message : String(error))
  }
}

function judgeEviction(setup: ServerSetup): Finding {
  if (!mayEvict(setup)) return ok('redis eviction', setup.evictionPolicy ?? 'not told')
  return warning(
    'redis eviction',
    `${setup.evictionPolicy}: Redis may drop pending updates when its memory is full; set maxmemory-policy to noeviction`,
  )
}

function judgePersistence({ persistence, appendfsync }: ServerSetup): Finding {
  switch (persistence) {
    case 'append-only':
      return ok('redis persistence', `append-only file, appendfsync ${appendfsync ?? 'not told'}`)
    case 'snapshots':
      return warning(
        'redis persistence',
        'snapshots only: a crash of Redis loses what was taken in since the last one; set appendonly to yes',
      )
    case 'none':
      return warning('redis persistence', 'off: a restart of Redis loses what is pending; set appendonly to yes')
    case 'unknown':
      return ok('redis persistence', 'not told by this server; see how its provider keeps data')
  }
}

/** Not `checkLayout`: that would claim the lane, and a check changes nothing. */
async function readLayout(redis: Redis, config: Config): Promise<string | null> {
  return await redis.get(laneOf(config.QUEUE_NAME, config.QUEUE_PREFIX).schema)
}

function judgeLayout(layout: string | null): Finding {
  if (layout === null) return ok('layout', `a new lane; it will be of version ${LAYOUT_VERSION}`)
  if (layout === LAYOUT_VERSION) return ok('layout', `version ${layout}`)
  return failure(
    'layout',
    `the lane holds data of version ${layout}, and this sift-run-updater knows ${LAYOUT_VERSION} only`,
  )
}

async function readPausedQueues(redis: Redis, config: Config): Promise<string[]> {
  const lane = laneOf(config.QUEUE_NAME, config.QUEUE_PREFIX)
  const paused: string[] = []
  for (const name of [lane.queueName, lane.intakeQueueName, lane.deadLetterQueueName]) {
    // Only looked at, so it must not be written into the list of queues.
    const queue = new Queue(name, { connection: redis, prefix: lane.prefix, skipMetasUpdate: true })
    queue.on('error', () => {})
    if (await queue.isPaused()) paused.push(name)
    await queue.close()
  }
  return paused
}

function judgePause(queues: readonly string[]): Finding {
  return warning(
    'queue',
    `${queues.join(' and ')} paused in BullMQ: nothing leaves a paused queue before it is resumed, in a dashboard for one`,
  )
}

async function checkSift(config: Config): Promise<Finding> {
  const name = 'sift'
  try {
    const apiKey = await readApiKey(config)
    if (!apiKey) return warning(name, 'no SIFT_API_KEY and no SIFT_API_KEY_FILE: producers need none, a worker does')
    const probe = await probeSift(config.SIFT_REST_URL, apiKey, config.REQUEST_TIMEOUT_MS)
    switch (probe.kind) {
      case 'accepted':
        return ok(name, `${config.SIFT_REST_URL} takes the API key`)
      case 'refused':
        return failure(name, `${config.SIFT_REST_URL}: ${probe.message}`)
      case 'unreachable':
        return {
          ...failure(name, `${config.SIFT_REST_URL} can't be reached: ${probe.message}`),
          isUnreachable: true,
        }
    }
  } catch (error) {
    if (error instanceof ConfigurationError) return failure(name, error.message)
    throw error
  }
}

function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message }
}

function warning(check: string, message: string): Finding {
  return { check, level: 'warning', message }
}

function failure(check: string, message: string): Finding {
  return { check, level: 'failure', message }
}
