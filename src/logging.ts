/**
 * The one place that words facts as log lines: JSON on standard error, or pretty where a person looks on.
 *
 * Trouble that repeats is told once, and again when it is over or another: an outage of Redis must not fill the disk.
 */
import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import type { LogLevel } from './config.js'
import type { FactEmitter, FactName, Facts } from './events.js'

export type { Logger } from 'pino'

const STANDARD_ERROR = 2

/** A logger that writes at once, so that the last line before an exit is not lost. */
export function createLogger(level: LogLevel): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  if (process.stderr.isTTY) {
    return pino(options, pretty({ destination: STANDARD_ERROR, sync: true, translateTime: 'SYS:HH:MM:ss.l' }))
  }
  const destination: DestinationStream = pino.destination({ dest: STANDARD_ERROR, sync: true })
  return pino(options, destination)
}

type Level = 'debug' | 'info' | 'warn' | 'error'

/** Level, text and data of a fact's line. */
type Line = readonly [level: Level, text: string, data?: object]

/** A fact that stands for each run is told at `debug`: at a hundred runs a second nobody reads it. */
const LINES: { readonly [Name in Exclude<FactName, TroubleName>]: (...fact: Facts[Name]) => Line } = {
  'update:merged': (fact) => ['debug', 'an update was taken in, or refused', fact],
  'update:rejected': (fact) => ['debug', 'an update was refused', fact],
  'worker:ready': ({ lane }) => ['info', `taking jobs of ${lane}`, { lane }],
  'worker:closed': ({ lane }) => ['info', `closed; all of ${lane} that is unsent stays pending`, { lane }],
  'patch:applied': ({ sinceArrivalMs, durationMs, ...fact }) => [
    'debug',
    'applied',
    { ...fact, durationMs: Math.round(durationMs), oldestFieldMs: Math.round(Math.max(0, ...sinceArrivalMs)) },
  ],
  'patch:refused': ({ durationMs, ...fact }) => [
    'info',
    'refused by Sift',
    { ...fact, durationMs: Math.round(durationMs) },
  ],
  'request:failed': ({ durationMs, ...fact }) => [
    'warn',
    'a request failed, and will be sent again',
    { ...fact, durationMs: Math.round(durationMs) },
  ],
  'run:read': ({ durationMs, ...fact }) => ['debug', 'read', { ...fact, durationMs: Math.round(durationMs) }],
  'run:deferred': ({ delayMs, ...fact }) => ['info', 'the run backs off', { ...fact, delayMs: Math.round(delayMs) }],
  'run:superseded': (fact) => ['debug', 'the job is superseded', fact],
  'run:reopened': (fact) => ['info', 'a pending run had lost its job, and has a new one', fact],
  'permit:taken': ({ waitMs, ...fact }) => ['debug', 'waited for a permit', { ...fact, waitMs: Math.round(waitMs) }],
  'lane:held': ({ reason, detail, untilMs }) => [
    'warn',
    untilMs === null
      ? 'the lane is held, until an operator opens it: sift-run-updater lane open'
      : 'the lane is held; nothing is lost, and it is probed again',
    { reason, detail, until: untilMs === null ? null : new Date(untilMs).toISOString() },
  ],
  'lane:opened': () => ['info', 'the lane is open again'],
  'dead-letter:recorded': (fact) => ['warn', 'a dead letter was recorded', fact],
  'dead-letter:redriven': (fact) => ['info', 'a dead letter was redriven', fact],
  'dead-letter:refused-again': (fact) => ['warn', 'a dead letter could not be redriven, and stays', fact],
  'rate:differs': (fact) => ['warn', 'another worker ran with another rate; the last one to start is in force', fact],
  'clock:ahead': ({ aheadMs }) => [
    'warn',
    "Redis's clock was set back; arrival times run ahead of it until it has caught up",
    { aheadMs: Math.round(aheadMs) },
  ],
  'api-key:reloaded': () => ['info', 'the API key was read again from its file, and has changed'],
  'job:foreign': (fact) => ['error', 'a job of another program lies in a queue of ours; it was failed', fact],
  'redis:may-evict': ({ policy }) => [
    'warn',
    'Redis may drop pending updates when its memory is full; set maxmemory-policy to noeviction',
    { policy },
  ],
  'job:crashed': ({ runId, error }) => [
    'error',
    'a flush job ended unexpectedly, and comes again',
    { runId, error: messageOf(error), stack: error.stack },
  ],
}

type TroubleName = 'redis:trouble' | 'redis:recovered'

/** Writes every fact as a line. The function that it returns ends that. */
export function logFacts(facts: FactEmitter, logger: Logger): () => void {
  const ends: (() => void)[] = []
  const listen = <Name extends FactName>(name: Name, listener: (...fact: Facts[Name]) => void): void => {
    // Node's types can't follow a name that is a type parameter into the listener's.
    const anyListener = listener as (...fact: unknown[]) => void
    const emitter: NodeJS.EventEmitter = facts
    emitter.on(name, anyListener)
    ends.push(() => emitter.off(name, anyListener))
  }
  const listenTo = <Name extends keyof typeof LINES>(name: Name): void => {
    listen(name, (...fact) => {
      const [level, text, data = {}] = LINES[name](...fact)
      logger[level](data, text)
    })
  }
  for (const name of Object.keys(LINES) as (keyof typeof LINES)[]) listenTo(name)

  const trouble = troubleLogOf(logger)
  listen('redis:trouble', ({ error }) => trouble.tell(error))
  listen('redis:recovered', () => trouble.end())
  return () => {
    for (const end of ends) end()
  }
}

/** A worker and a producer of one process lose the same Redis: it is told once for both. */
const troubleLogs = new WeakMap<Logger, TroubleLog>()

function troubleLogOf(logger: Logger): TroubleLog {
  const known = troubleLogs.get(logger) ?? new TroubleLog(logger)
  troubleLogs.set(logger, known)
  return known
}

/**
 * Tells trouble once.
 *  - quiet     nothing is wrong. Left by the first trouble.
 *  - troubled  each kind of trouble was told; entered and left with a line.
 */
class TroubleLog {
  readonly #logger: Logger
  /** Empty while quiet. */
  readonly #told = new Set<string>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  tell(error: Error): void {
    const kind = kindOf(error)
    if (this.#told.has(kind)) return
    this.#told.add(kind)
    if (kind === AWAY) this.#logger.warn({ error: messageOf(error) }, 'Redis is away; trying until it is back')
    else this.#logger.error({ error: messageOf(error) }, 'trouble with Redis')
  }

  end(): void {
    if (this.#told.size === 0) return
    this.#told.clear()
    this.#logger.info('Redis is back')
  }
}

const AWAY = 'away'

/** Every connection tells a lost server in words of its own, and it is one and the same trouble. */
function kindOf(error: Error): string {
  const isOfConnection =
    'syscall' in error ||
    error instanceof AggregateError ||
    /^(Connection is closed|Command timed out|time-out$|connect |read |write |Stream isn't)/.test(error.message)
  return isOfConnection ? AWAY : error.message
}

/**
 * The words of an error, and never the whole of it: ioredis puts the failed command there, AUTH with its password too.
 * Where a name has two addresses, the error's own message is empty.
 */
function messageOf(error: Error): string {
  if (error.message !== '') return error.message
  return error instanceof AggregateError ? error.errors.map(String).join('; ') : error.name
}
