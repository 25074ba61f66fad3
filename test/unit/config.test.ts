import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  checkLibraryOptions,
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
import { ApiKey } from '../../src/sift/api-key.js'

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
    ['QUEUE_PREFIX', 'a b'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s, and tells the value', (variable, value) => {
    expect(problemsOf(() => readConfig({ [variable]: value }))).toEqual([
      expect.stringMatching(new RegExp(`^${variable} is "${value}"; it must be`)),
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
  expect(problemsOf(() => checkLibraryOptions(options))).toEqual([])
})

test('the options of the library are checked, all at once', () => {
  const options = { concurrency: 0, rateLimit: { max: 0, durationMs: 1 }, queueName: 'a:b', quickRetryMs: Number.NaN }
  expect(problemsOf(() => checkLibraryOptions(options)).map((problem) => problem.split(' ')[0])).toEqual(
    expect.arrayContaining(['concurrency', 'rateLimit.max', 'queueName', 'quickRetryMs']),
  )
})
