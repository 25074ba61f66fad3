import { AssertionError } from 'node:assert'
import { errors } from 'undici'
import { expect, it } from 'vitest'
import { CallerAbortError, classifyFailure, DeadlineError } from '../../../src/sift/failure.js'

const systemError = (code: string) => Object.assign(new Error(`connect ${code}`), { code, syscall: 'connect' })

it.each([
  systemError('ECONNREFUSED'),
  systemError('ENOTFOUND'),
  systemError('CERT_HAS_EXPIRED'),
  new errors.ConnectTimeoutError('slow'),
  new DeadlineError(5),
  new CallerAbortError(),
])('before anything was sent, %s is a failed connection: Sift knows nothing of it', (error) => {
  expect(classifyFailure(error, false)).toMatchObject({
    kind: 'transient',
    reason: 'connection_failed',
    ambiguous: false,
    message: expect.stringContaining(error.message),
  })
})

it.each([
  systemError('ECONNRESET'),
  new errors.SocketError('other side closed'),
  new errors.HTTPParserError('not HTTP'),
  new CallerAbortError(),
])('afterwards, %s is a cut connection, and ambiguous', (error) => {
  expect(classifyFailure(error, true)).toMatchObject({ reason: 'connection_cut', ambiguous: true })
})

it('a deadline after sending is a time-out, and ambiguous', () => {
  expect(classifyFailure(new DeadlineError(250), true)).toEqual({
    kind: 'transient',
    reason: 'timeout',
    ambiguous: true,
    message: 'the request to Sift was not complete within 250 ms',
  })
})

it('several addresses that all failed are all told', () => {
  const all = Object.assign(new AggregateError([systemError('ECONNREFUSED'), systemError('EHOSTUNREACH')]), {
    code: 'ECONNREFUSED',
  })
  expect(classifyFailure(all, false).message).toMatch(/ECONNREFUSED.*EHOSTUNREACH/)
})

it.each([
  new TypeError('x is not a function'),
  Object.assign(new TypeError('bad'), { code: 'ERR_INVALID_ARG_TYPE' }),
  new RangeError('too deep'),
  new AssertionError({ message: 'false' }),
  new Error('no code'),
  new errors.InvalidArgumentError('invalid path'),
  new errors.ClientClosedError(),
  'not even an error',
])('%s is a bug, and thrown on', (bug) => {
  for (const sent of [true, false]) expect(() => classifyFailure(bug, sent)).toThrow(bug as Error)
})
