import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  checkProducerOptions,
  checkWorkerOptions,
  describeSetting,
  optionName,
  policyOptions,
  producerOptions,
  readApiKey,
  readConfig,
  VARIABLES,
  workerOptions,
} from '../../src/config.js'
import { ConfigurationError } from '../../src/errors.js'
import { DEFAULT_POLICY } from '../../src/policy.js'
import { createProducer, type ProducerOptions } from '../../src/producer/producer.js'
import { ApiKey } from '../../src/sift/api-key.js'
import { createWorker, type WorkerOptions } from '../../src/worker/worker.js'

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read()
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  return []
}

describe('readConfig', () => {
  test('gives every setting without a value its default, and is frozen', () => {
    const config = readConfig({})
    expect(config).toMatchObject({
      REDIS_URL: 'redis://127.0.0.1:6379',
      SIFT_REST_URL: 'https://api.siftstack.com',
      QUEUE_NAME: 'run-updates',
      QUEUE_PREFIX: '{sift}',
      RATE_LIMIT_MAX: 50,
      RATE_LIMIT_DURATION_MS: 1_000,
      CONCURRENCY: 20,
      LOG_LEVEL: 'info',
      MAX_REDIS_MEMORY_PERCENT: 90,
    })
    expect(Object.isFrozen(config)).toBe(true)
    expect(DEFAULT_POLICY).toMatchObject(policyOptions(config))
  })

  test('counts an empty variable as unset', () => {
    expect(readConfig({ CONCURRENCY: '', MAX_PENDING_RUNS: '' })).toEqual(readConfig({}))
  })

  test.each([
    ['CONCURRENCY', '0'],
    ['CONCURRENCY', '-1'],
    ['CONCURRENCY', '2.5'],
    ['CONCURRENCY', '1e3'],
    ['CONCURRENCY', '0x10'],
    ['CONCURRENCY', ' 5'],
    ['CONCURRENCY', '99999999999999999999'],
    ['LOCK_DURATION_MS', '999'],
    ['RATE_LIMIT_MAX', 'many'],
    ['MAX_REDIS_MEMORY_PERCENT', '101'],
    ['QUEUE_NAME', 'a:b'],
    ['QUEUE_NAME', 'run-updates-dead-letters'],
    ['QUEUE_NAME', 'a-intake'],
    ['QUEUE_PREFIX', 'a b'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s, and tells the value', (variable, value) => {
    expect(problemsOf(() => readConfig({ [variable]: value }))).toEqual([
      expect.stringMatching(new RegExp(`^${variable} is "${value}"; it must `)),
    ])
  })

  test.each([
    ['REDIS_URL', 'http://:hidden@host'],
    ['REDIS_URL', 'redis://:hidden@host/name'],
    ['REDIS_URL', 'hidden'],
    ['SIFT_REST_URL', 'https://user:hidden@host'],
    ['SIFT_REST_URL', 'ftp://hidden'],
    ['SIFT_API_KEY', 'hidden key'],
  ])('refuses %s=%s without showing what may be a secret', (variable, value) => {
    const problems = problemsOf(() => readConfig({ [variable]: value }))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(variable)
    expect(problems[0]).not.toContain('hidden')
  })

  test('tells every problem at once', () => {
    const environment = { CONCURRENCY: '0', QUEUE_NAME: ':', SIFT_API_KEY: 'a', SIFT_API_KEY_FILE: 'b' }
    expect(problemsOf(() => readConfig(environment))).toHaveLength(3)
  })

  test('refuses to forget what was sent before the next update is', () => {
    expect(problemsOf(() => readConfig({ SENT_TTL_MS: '1000', COALESCE_WINDOW_MS: '2000' }))).toEqual([
      expect.stringContaining('SENT_TTL_MS (1000) is shorter than COALESCE_WINDOW_MS (2000)'),
    ])
  })

  test('asks for an API key only where it is needed', () => {
    expect(problemsOf(() => readConfig({}))).toEqual([])
    expect(problemsOf(() => readConfig({}, { needsApiKey: true }))).toEqual([
      expect.stringContaining('SIFT_API_KEY is not set'),
    ])
    expect(problemsOf(() => readConfig({ SIFT_API_KEY_FILE: 'key' }, { needsApiKey: true }))).toEqual([])
  })

  test('lets an option of the command line win, and names it in a problem', () => {
    expect(readConfig({ CONCURRENCY: 'no' }, { given: { CONCURRENCY: '3' } }).CONCURRENCY).toBe(3)
    expect(problemsOf(() => readConfig({}, { given: { CONCURRENCY: 'no' } }))).toEqual([
      expect.stringMatching(/^--concurrency is "no"/),
    ])
  })

  test('keeps the API key from whoever prints the configuration', async () => {
    const config = readConfig({ SIFT_API_KEY: 'hidden' })
    expect(inspect(config) + JSON.stringify(config)).not.toContain('hidden')
    expect((await readApiKey(config))?.authorization()).toBe('Bearer hidden')
  })
})

test('each setting has a meaning, and an option of its name', () => {
  for (const variable of VARIABLES) expect(describeSetting(variable).meaning, variable).not.toBe('')
  expect(optionName('COALESCE_WINDOW_MS')).toBe('--coalesce-window-ms')
})

test('the configuration turns into options that the library takes', () => {
  const config = readConfig({ MAX_PENDING_RUNS: '7', RATE_LIMIT_MAX: '3' })
  expect(producerOptions(config)).toMatchObject({ redis: config.REDIS_URL, maxPendingRuns: 7 })
  expect(producerOptions(readConfig({}))).not.toHaveProperty('maxPendingRuns')
  const options = workerOptions(config, ApiKey.literal('k'))
  expect(options).toMatchObject({ rateLimit: { max: 3, durationMs: 1_000 }, concurrency: 20, maxAttempts: 25 })
  expect(problemsOf(() => checkWorkerOptions(options))).toEqual([])
  expect(problemsOf(() => checkProducerOptions(producerOptions(config)))).toEqual([])
})

test('the options of the library are checked, all at once', () => {
  const options = { concurrency: 0, rateLimit: { max: 0, durationMs: 1 }, queueName: 'a:b', quickRetryMs: Number.NaN }
  expect(problemsOf(() => checkProducerOptions(options)).map((problem) => problem.split(' ')[0])).toEqual(
    expect.arrayContaining(['concurrency', 'rateLimit.max', 'queueName', 'quickRetryMs']),
  )
})

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'the options must be an object'],
  ['no Sift', { redis: 'redis://127.0.0.1:1' }, 'sift must be an object with a baseUrl and an apiKey'],
  ['a base URL that is no text', { sift: { baseUrl: 5, apiKey: 'k' } }, 'sift.baseUrl must be text'],
  ['an API key that is no text', { sift: { baseUrl: 'http://127.0.0.1', apiKey: 5 } }, 'sift.apiKey must be text'],
  [
    'a rate that is a number',
    { sift: { baseUrl: 'http://127.0.0.1', apiKey: 'k' }, rateLimit: 5 },
    'rateLimit must be',
  ],
  [
    "another lane's queue",
    { sift: { baseUrl: 'http://127.0.0.1', apiKey: 'k' }, queueName: 'a-intake' },
    'queueName must not end in',
  ],
  ['no Redis', { sift: { baseUrl: 'http://127.0.0.1', apiKey: 'k' } }, 'redis must be a URL'],
])('createWorker given %s tells what it wants', (_what, options, problem) => {
  expect(problemsOf(() => createWorker(options as WorkerOptions))).toEqual([expect.stringContaining(problem)])
})

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'the options must be an object'],
  ['no Redis', {}, 'redis must be a URL'],
  [
    'a window that is text',
    { redis: 'redis://127.0.0.1:1', coalesceWindowMs: '5' },
    'coalesceWindowMs must be a number',
  ],
])('createProducer given %s tells what it wants', (_what, options, problem) => {
  expect(problemsOf(() => createProducer(options as ProducerOptions))).toEqual([expect.stringContaining(problem)])
})
