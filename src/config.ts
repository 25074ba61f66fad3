/**
 * The configuration: what each setting is called, means and may be. The environment, the options of the command line
 * and the options of the library go through the same schemas, and each is told all of its problems at once.
 */
import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { parse as parseDotenv } from 'dotenv'
import { z } from 'zod'
import { ConfigurationError } from './errors.js'
import { DEFAULT_POLICY, type Policy } from './policy.js'
import { DEFAULT_QUEUE_NAME, DEFAULT_QUEUE_PREFIX, isSideQueueName } from './redis/lane.js'
import { redisUrlProblem } from './redis/redis-source.js'
import { ApiKey } from './sift/api-key.js'
import { parseBaseUrl } from './sift/base-url.js'

export const DEFAULT_RATE = Object.freeze({ max: 50, durationMs: 1_000 })
export const DEFAULT_CONCURRENCY = 20
export const DEFAULT_MAX_REDIS_MEMORY_PERCENT = 90

const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS

/** A setting whose value must never be shown. */
const SECRET = new Set(['REDIS_URL', 'SIFT_REST_URL', 'SIFT_API_KEY', 'AUTH_TOKEN'])

function whole(least: number, most: number) {
  return z
    .int(`must be a whole number from ${least} to ${most}`)
    .min(least, `must be at least ${least}`)
    .max(most, `must be at most ${most}`)
}

/** What a number may be, in the environment as in the options of the library. */
const LIMITS = {
  coalesceWindowMs: whole(0, HOUR_MS),
  rateLimitMax: whole(1, 1_000_000),
  rateLimitDurationMs: whole(1, 24 * HOUR_MS),
  concurrency: whole(1, 1_000),
  requestTimeoutMs: whole(100, HOUR_MS),
  maxAttempts: whole(1, 1_000_000),
  ambiguityGraceMs: whole(0, HOUR_MS),
  notFoundGraceMs: whole(0, 24 * HOUR_MS),
  maxHoldMs: whole(1_000, 24 * HOUR_MS),
  // BullMQ renews a lock at half its time, so a shorter one is lost to any hiccup of the event loop.
  lockDurationMs: whole(1_000, HOUR_MS),
  sentTtlMs: whole(1_000, YEAR_MS),
  maxPendingRuns: whole(1, 1_000_000_000),
  maxRedisMemoryPercent: whole(1, 100),
  port: whole(0, 65_535),
}

const queueName = z
  .string('must be text')
  .regex(/^[\w.-]{1,100}$/, 'must be 1 to 100 characters of A-Z a-z 0-9 . _ - (BullMQ takes no colon)')
  .refine(
    (name) => !isSideQueueName(name),
    'must not end in -dead-letters or -intake: such a queue belongs to the lane whose name comes before',
  )
const queuePrefix = z
  .string('must be text')
  .regex(/^[\w.:{}-]{1,100}$/, 'must be 1 to 100 characters of A-Z a-z 0-9 . _ - : { }')

/** The text of a whole number; what is no such text is passed on, for the schema of the number to refuse. */
function fromText(schema: z.ZodType<number, number>) {
  return z.preprocess((text) => (typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : text), schema)
}

/** Lets the part that will use a value judge it, in its own words. */
function judgedBy<Output>(judge: (text: string) => Output) {
  return z.string().transform((text, context) => {
    try {
      return judge(text)
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      for (const message of error.problems) context.issues.push({ code: 'custom', message: `: ${message}`, input: '' })
      return z.NEVER
    }
  })
}

const redisUrl = z.string().superRefine((text, context) => {
  const problem = redisUrlProblem(text)
  if (problem !== undefined) context.addIssue(problem)
})

/** Every variable of the environment, in the order in which people are told of them. */
const SETTINGS = z.object({
  REDIS_URL: redisUrl
    .default('redis://127.0.0.1:6379')
    .describe('Redis; also rediss://, a password, a database number'),
  SIFT_REST_URL: judgedBy((text) => {
    parseBaseUrl(text)
    return text
  })
    .default('https://api.siftstack.com')
    .describe('base URL of the Sift API'),
  SIFT_API_KEY: judgedBy((text) => ApiKey.literal(text))
    .optional()
    .describe('API key of Sift; never logged'),
  SIFT_API_KEY_FILE: z.string().optional().describe('file with the API key; read again after a 401'),
  QUEUE_NAME: queueName.default(DEFAULT_QUEUE_NAME).describe('the lane'),
  QUEUE_PREFIX: queuePrefix
    .default(DEFAULT_QUEUE_PREFIX)
    .describe('prefix of all keys; needs its braces on a Redis Cluster'),
  COALESCE_WINDOW_MS: fromText(LIMITS.coalesceWindowMs)
    .default(DEFAULT_POLICY.coalesceWindowMs)
    .describe('from the first pending write of a run to its PATCH'),
  RATE_LIMIT_MAX: fromText(LIMITS.rateLimitMax)
    .default(DEFAULT_RATE.max)
    .describe('requests to Sift in a window, over all processes'),
  RATE_LIMIT_DURATION_MS: fromText(LIMITS.rateLimitDurationMs)
    .default(DEFAULT_RATE.durationMs)
    .describe('length of that window'),
  CONCURRENCY: fromText(LIMITS.concurrency).default(DEFAULT_CONCURRENCY).describe('flush jobs at a time in one worker'),
  REQUEST_TIMEOUT_MS: fromText(LIMITS.requestTimeoutMs)
    .default(DEFAULT_POLICY.requestTimeoutMs)
    .describe('one request to Sift'),
  MAX_ATTEMPTS: fromText(LIMITS.maxAttempts)
    .default(DEFAULT_POLICY.maxAttempts)
    .describe('failures of a run that fails alone'),
  AMBIGUITY_GRACE_MS: fromText(LIMITS.ambiguityGraceMs)
    .default(DEFAULT_POLICY.ambiguityGraceMs)
    .describe('rest of a run after a request without an answer'),
  NOT_FOUND_GRACE_MS: fromText(LIMITS.notFoundGraceMs)
    .default(DEFAULT_POLICY.notFoundGraceMs)
    .describe('how long a missing run is taken for one that is being created'),
  MAX_HOLD_MS: fromText(LIMITS.maxHoldMs)
    .default(DEFAULT_POLICY.maxHoldMs)
    .describe('the longest wait that a server can ask for'),
  LOCK_DURATION_MS: fromText(LIMITS.lockDurationMs)
    .default(DEFAULT_POLICY.lockDurationMs)
    .describe("BullMQ's lock; a killed worker's jobs come back after it"),
  SENT_TTL_MS: fromText(LIMITS.sentTtlMs)
    .default(DEFAULT_POLICY.sentTtlMs)
    .describe('how long late observations are recognised as stale'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be one of fatal, error, warn, info, debug, trace, silent',
    })
    .default('info')
    .describe('JSON on standard error; pretty on a terminal'),
  MAX_PENDING_RUNS: fromText(LIMITS.maxPendingRuns)
    .optional()
    .describe('at this many, new runs are refused as overloaded'),
  MAX_REDIS_MEMORY_PERCENT: fromText(LIMITS.maxRedisMemoryPercent)
    .default(DEFAULT_MAX_REDIS_MEMORY_PERCENT)
    .describe("share of Redis's maxmemory above which new runs are refused"),
  HOST: z.string().default('127.0.0.1').describe('address to listen on; anything but loopback needs AUTH_TOKEN'),
  AUTH_TOKEN: z
    .string()
    .regex(/^[!-~]{1,1000}$/, 'must be 1 to 1,000 printable ASCII characters without blanks')
    .optional()
    .describe('asked for by every route but health, once it is set'),
  PORT: fromText(LIMITS.port).default(3_000).describe('of serve; 0: a free port, which it tells'),
  METRICS_PORT: fromText(LIMITS.port).optional().describe("a worker's own /metrics; 0: a free port, which it tells"),
})

export type Config = Readonly<z.output<typeof SETTINGS>>
export type Variable = keyof Config
export type LogLevel = Config['LOG_LEVEL']

/** Values as text, by variable. An empty one counts as unset. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface ReadConfigOptions {
  /** Values that were given on the command line: they win, and are named there by their option. */
  readonly given?: Readonly<Partial<Record<Variable, string>>>
  /** A worker can't do without one. */
  readonly needsApiKey?: boolean
}

/** The option of the command line that has the name of this variable. */
export function optionName(variable: Variable): string {
  return `--${variable.toLowerCase().replaceAll('_', '-')}`
}

/** What a setting means, and its default; undefined: it has none. */
export function describeSetting(variable: Variable): { readonly meaning: string; readonly default: unknown } {
  const schema: z.ZodType = SETTINGS.shape[variable]
  return { meaning: schema.description ?? '', default: schema.safeParse(undefined).data }
}

/** Every variable, in the order of the table above. */
export const VARIABLES = Object.keys(SETTINGS.shape) as readonly Variable[]

/** The real environment, over the `.env` file of the working directory. */
export function readEnvironment(): Environment {
  let file = {}
  try {
    file = parseDotenv(readFileSync('.env'))
  } catch (error) {
    if (!isMissingFile(error)) {
      throw new ConfigurationError([`the file .env cannot be read: ${error instanceof Error ? error.message : error}`])
    }
  }
  return { ...file, ...withoutEmpty(process.env) }
}

/**
 * Reads and checks all settings.
 * @throws ConfigurationError with every problem.
 */
export function readConfig(
  environment: Environment,
  { given = {}, needsApiKey = false }: ReadConfigOptions = {},
): Config {
  const texts: Environment = { ...withoutEmpty(environment), ...given }
  const parsed = SETTINGS.safeParse(texts)
  const problems = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => {
        const variable = path[0] as Variable
        const name = variable in given ? optionName(variable) : variable
        const value = SECRET.has(variable) ? '' : ` is "${texts[variable]}"; it`
        return message.startsWith(':') ? `${name}${message}` : `${name}${value} ${message}`
      })
  problems.push(...pairProblems(texts, parsed.data, needsApiKey))
  if (problems.length > 0 || !parsed.success) throw new ConfigurationError(problems)
  return Object.freeze(parsed.data)
}

/** What can't work together, where each alone could. */
function pairProblems(texts: Environment, config: Config | undefined, needsApiKey: boolean): string[] {
  const problems: string[] = []
  const keys = [texts.SIFT_API_KEY, texts.SIFT_API_KEY_FILE].filter((text) => text !== undefined)
  if (keys.length > 1) problems.push('SIFT_API_KEY and SIFT_API_KEY_FILE are both set; set one of them')
  if (needsApiKey && keys.length === 0) problems.push('SIFT_API_KEY is not set; set it, or SIFT_API_KEY_FILE')
  if (config && config.SENT_TTL_MS < config.COALESCE_WINDOW_MS) {
    problems.push(
      `SENT_TTL_MS (${config.SENT_TTL_MS}) is shorter than COALESCE_WINDOW_MS (${config.COALESCE_WINDOW_MS}); what was sent would be forgotten before the next update is`,
    )
  }
  return problems
}

/**
 * For what listens: only this machine may come in without a token.
 * @throws ConfigurationError
 */
export function refuseOpenAddress({ HOST, AUTH_TOKEN }: Config): void {
  if (AUTH_TOKEN !== undefined || isLoopback(HOST)) return
  throw new ConfigurationError([
    `HOST is "${HOST}", which other machines can reach; set AUTH_TOKEN, or listen on 127.0.0.1`,
  ])
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/**
 * The API key that is configured; undefined where there is none.
 * @throws ConfigurationError where its file cannot be read or holds no key.
 */
export async function readApiKey(config: Config): Promise<ApiKey | undefined> {
  return config.SIFT_API_KEY_FILE === undefined ? config.SIFT_API_KEY : await ApiKey.fromFile(config.SIFT_API_KEY_FILE)
}

/** The configuration as options of `createProducer`. */
export function producerOptions(config: Config) {
  return {
    ...laneOptions(config),
    coalesceWindowMs: config.COALESCE_WINDOW_MS,
    maxRedisMemoryPercent: config.MAX_REDIS_MEMORY_PERCENT,
    ...(config.MAX_PENDING_RUNS !== undefined && { maxPendingRuns: config.MAX_PENDING_RUNS }),
  }
}

/** The configuration as options of `createWorker`. */
export function workerOptions(config: Config, apiKey: ApiKey) {
  return {
    ...laneOptions(config),
    ...policyOptions(config),
    sift: { baseUrl: config.SIFT_REST_URL, apiKey },
    rateLimit: { max: config.RATE_LIMIT_MAX, durationMs: config.RATE_LIMIT_DURATION_MS },
    concurrency: config.CONCURRENCY,
  }
}

/** The part of the policy that operators may change. */
export function policyOptions(config: Config): Partial<Policy> {
  return {
    coalesceWindowMs: config.COALESCE_WINDOW_MS,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    maxAttempts: config.MAX_ATTEMPTS,
    ambiguityGraceMs: config.AMBIGUITY_GRACE_MS,
    notFoundGraceMs: config.NOT_FOUND_GRACE_MS,
    maxHoldMs: config.MAX_HOLD_MS,
    lockDurationMs: config.LOCK_DURATION_MS,
    sentTtlMs: config.SENT_TTL_MS,
  }
}

/** The waits and limits of the policy may be any span here: tests divide them. */
const span = z.number('must be a number').min(0, 'must be at least 0').max(YEAR_MS, `must be at most ${YEAR_MS}`)

const PRODUCER_OPTIONS = z
  .object(
    {
      ...Object.fromEntries(Object.keys(DEFAULT_POLICY).map((name) => [name, span])),
      queueName,
      queuePrefix,
      concurrency: LIMITS.concurrency,
      rateLimit: z.object({ max: LIMITS.rateLimitMax, durationMs: LIMITS.rateLimitDurationMs }, 'must be an object'),
      maxPendingRuns: LIMITS.maxPendingRuns,
      maxRedisMemoryPercent: LIMITS.maxRedisMemoryPercent,
    },
    'must be an object',
  )
  .partial()

const WORKER_OPTIONS = PRODUCER_OPTIONS.extend({
  sift: z.object(
    {
      baseUrl: z.string('must be text'),
      apiKey: z.custom((key) => typeof key === 'string' || key instanceof ApiKey, 'must be text'),
    },
    'must be an object with a baseUrl and an apiKey',
  ),
})

/**
 * Checks the options of `createProducer`, as far as they are numbers and names.
 * @throws ConfigurationError with every problem.
 */
export function checkProducerOptions(options: object): void {
  checkOptions(PRODUCER_OPTIONS, options)
}

/**
 * The same for `createWorker`.
 * @throws ConfigurationError with every problem.
 */
export function checkWorkerOptions(options: object): void {
  checkOptions(WORKER_OPTIONS, options)
}

/** Callers without types may give anything, or nothing. */
function checkOptions(schema: z.ZodType, options: unknown): void {
  const parsed = schema.safeParse(options)
  if (parsed.success) return
  throw new ConfigurationError(
    parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the options'} ${message}`),
  )
}

function laneOptions(config: Config) {
  return { redis: config.REDIS_URL, queueName: config.QUEUE_NAME, queuePrefix: config.QUEUE_PREFIX }
}

function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, text]) => text !== undefined && text !== ''))
}

function isMissingFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR')
}
