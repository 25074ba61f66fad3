import { Queue } from 'bullmq'
import { Command } from 'commander'
import type { Redis } from 'ioredis'
import { type Config, readApiKey } from '../config.js'
import { ConfigurationError, RedisUnavailableError } from '../errors.js'
import { LAYOUT_VERSION } from '../pending/layout.js'
import { laneOf } from '../redis/lane.js'
import { describeRedis } from '../redis/redis-source.js'
import { findRefusedRights, type RefusedRight } from '../redis/rights.js'
import { mayEvict, readServerSetup, refuseOldServer, type ServerSetup } from '../redis/server-check.js'
import { isNoPermission } from '../redis/trouble.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { withRedis } from './lane-session.js'
import { oneLine, printJson, printLine } from './output.js'
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
        const { check: name, level } = finding
        const message = oneLine(finding.message)
        if (json) printJson({ check: name, level, message })
        else printLine(`${level.padEnd('failure'.length)}  ${name}: ${message}`)
      }
      process.exitCode = exitCode(findings)
    })
  return addSettings(command, [
    ...LANE_SETTINGS,
    'SIFT_REST_URL',
    'SIFT_API_KEY_FILE',
    'REQUEST_TIMEOUT_MS',
    'MAX_REDIS_MEMORY_PERCENT',
  ])
}

function exitCode(findings: readonly Finding[]): ExitCode {
  if (findings.some(({ isUnreachable }) => isUnreachable)) return EXIT.unreachable
  return findings.some(({ level }) => level === 'failure') ? EXIT.refused : EXIT.done
}

async function* check(config: Config): AsyncGenerator<Finding> {
  yield ok('configuration', `lane ${config.QUEUE_NAME}, prefix ${config.QUEUE_PREFIX}`)
  try {
    const { setup, refused, layout, pausedQueues } = await withQuietRedis(config.REDIS_URL, async (redis) => {
      const setup = await orRefused(() => readServerSetup(redis))
      // One that takes no writes ends the connection of whoever tries.
      const mayTry = setup instanceof Error || !setup.isReadOnlyReplica
      const refused = mayTry ? await findRefusedRights(redis, unusedKey(config)) : []
      // BullMQ refuses an old server by throwing, and needs all of these rights.
      const hasQueues = !(setup instanceof Error) && mayTry && !setup.isTooOld && refused.length === 0
      return {
        setup,
        refused,
        layout: await orRefused(() => readLayout(redis, config)),
        pausedQueues: hasQueues ? await readPausedQueues(redis, config) : [],
      }
    })
    if (setup instanceof Error) {
      yield warning('redis', `what it is like can't be looked at (${setup.message})`)
    } else {
      yield judgeVersion(setup, describeRedis(config.REDIS_URL))
      yield judgeEviction(setup)
      yield judgePersistence(setup)
      yield judgeMemory(setup, config.MAX_REDIS_MEMORY_PERCENT)
    }
    yield judgeWrites(setup instanceof Error ? undefined : setup, refused, config)
    yield layout instanceof Error ? warning('layout', `can't be looked at (${layout.message})`) : judgeLayout(layout)
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

/** ioredis prints by itself that the user has no right to INFO: that is told as a finding. */
async function withQuietRedis<Result>(url: string, task: (redis: Redis) => Promise<Result>): Promise<Result> {
  const { warn } = console
  console.warn = () => {}
  try {
    return await withRedis(url, task)
  } finally {
    console.warn = warn
  }
}

/** What a look finds, or that the user has no right to it. */
async function orRefused<Found>(look: () => Promise<Found>): Promise<Found | Error> {
  try {
    return await look()
  } catch (error) {
    if (isNoPermission(error)) return error
    throw error
  }
}

/** Nobody writes it, and the rights of the lane's keys are those of all of them. */
function unusedKey(config: Config): string {
  return `${laneOf(config.QUEUE_NAME, config.QUEUE_PREFIX).schema}.check`
}

function judgeMemory(setup: ServerSetup, maxPercent: number): Finding {
  const name = 'redis memory'
  const { used, limit } = setup.memory
  if (limit === 0) return ok(name, 'no maxmemory')
  const percent = Math.floor((used / limit) * 100)
  const share = `${percent} % of maxmemory`
  const stops = 'nothing can be written, not even what would send what is pending'
  if (percent >= 100 && !mayEvict(setup)) return failure(name, `${share}: ${stops}; raise maxmemory`)
  if (percent < maxPercent) return ok(name, share)
  const refuses = `${share}: enqueue refuses new runs`
  return warning(name, mayEvict(setup) ? refuses : `${refuses}; at 100 % ${stops}: raise maxmemory`)
}

function judgeWrites(setup: ServerSetup | undefined, refused: readonly RefusedRight[], config: Config): Finding {
  const name = 'redis writes'
  if (setup?.isReadOnlyReplica) return failure(name, 'Redis is a replica and takes no writes; name its primary')
  const [first] = refused
  if (!first) return ok(name, 'this user may run scripts that write')
  const rights = refused.map(({ right }) => right).join(', ')
  const keys = `${config.QUEUE_PREFIX}:*`
  return failure(name, `Redis refuses ${rights} (${first.message}); let its user have that, on the keys ${keys} (ACL)`)
}

function judgePersistence({ persistence, appendfsync, mayNotAsk }: ServerSetup): Finding {
  if (mayNotAsk) {
    const known = persistence === 'append-only' ? 'append-only file; when it reaches the disk' : 'what it is'
    return warning('redis persistence', `${known} can't be looked at: this user has no right to CONFIG GET`)
  }
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
