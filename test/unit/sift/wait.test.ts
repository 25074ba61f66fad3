import { expect, it } from 'vitest'
import type { AnswerHeaders } from '../../../src/sift/answer.js'
import { waitInProse } from '../../../src/sift/prose-wait.js'
import { statedWait } from '../../../src/sift/wait.js'

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo'

const waitOfHeader = (value: AnswerHeaders[string]) => statedWait({ 'retry-after': value }, { details: [] }, 0)
const waitOfDelay = (retryDelay: unknown) => statedWait({}, { details: [{ '@type': RETRY_INFO, retryDelay }] }, 0)

it.each([
  ['Retry-After: 30s', 30_000],
  ['retry_after=1.5s', 1500],
  ['please wait at least 1 minute and 30 seconds', 90_000],
  ['Wait 1 hour, 5 minutes', 3_900_000],
  ['try again after another 2 hrs', 7_200_000],
  ['resets in 1d', 86_400_000],
  ['retry in 1500µs', 2],
  ['too many requests. retry your request in about 10 sec.', 10_000],
  ['could not retry: 3 tries were made; wait 4s', 4000],
])('%j asks for %i ms', (prose, ms) => {
  expect(waitInProse(prose)).toBe(ms)
})

it.each([
  'please retry',
  'retry after 30',
  'retry after -3s',
  'retry in .5s',
  'retry in 1,500ms',
  'retry after 1e3s',
  'retry after 2026-03-01T10:00:00Z',
  'failed after retrying for 30 seconds',
  'the limit is 100 requests per 60 seconds',
  'retry later, the limit is 60 seconds',
  `retry after ${'9'.repeat(400)} seconds`,
])('%j asks for no wait', (prose) => {
  expect(waitInProse(prose)).toBeUndefined()
})

it('a second figure in a unit that is not smaller is no part of the wait', () => {
  expect(waitInProse('retry after 5 seconds, 60 seconds window')).toBe(5000)
})

it('Retry-After is whole seconds or a date as HTTP writes it, and nothing else', () => {
  expect(waitOfHeader('0')).toBe(0)
  expect(waitOfHeader(['7', '9'])).toBe(7000)
  expect(waitOfHeader('Thu, 01 Jan 1970 00:00:05 GMT')).toBe(5000)
  for (const value of ['', '-1', '1.5', '3 seconds', 'Thu, 99 Jan 1970 00:00:05 GMT', '9'.repeat(400)]) {
    expect(waitOfHeader(value), value).toBeUndefined()
  }
})

it('a RetryInfo holds a duration as proto3 JSON writes it', () => {
  expect(waitOfDelay('0.000000001s')).toBe(0)
  expect(waitOfDelay('90s')).toBe(90_000)
  for (const value of ['-1s', '1', 's', '1.s', 5, null, { seconds: 5 }, `${'9'.repeat(400)}s`]) {
    expect(waitOfDelay(value)).toBeUndefined()
  }
})

it('details of other types are passed over', () => {
  const details = [null, 'x', { '@type': 'other', retryDelay: '1s' }, { '@type': RETRY_INFO, retryDelay: '2s' }]
  expect(statedWait({}, { details }, 0)).toBe(2000)
})
