import fc from 'fast-check'
import { expect, it } from 'vitest'
import { classifyAnswer } from '../../../src/sift/classify.js'
import { waitInProse } from '../../../src/sift/prose-wait.js'

/** FUZZ_CASES=1000000 for the long run. */
const numRuns = Number(process.env.FUZZ_CASES ?? 3000)
const timeout = 30_000 + numRuns

const prose = fc
  .array(
    fc.oneof(
      fc.constantFrom('retry', 'after', 'in', 'wait', ' ', ' ', '-', ':', ',', 'and', 's', 'ms', 'm', 'minutes', '.'),
      fc.double({ min: 0 }).map(String),
      fc.nat().map(String),
      fc.string({ unit: 'binary' }),
    ),
  )
  .map((parts) => parts.join(''))

const status = fc.record(
  {
    code: fc.oneof(fc.integer({ min: -1, max: 18 }), fc.jsonValue()),
    message: fc.oneof(prose, fc.jsonValue()),
    details: fc.oneof(
      fc.array(
        fc.record({ '@type': fc.constant('type.googleapis.com/google.rpc.RetryInfo'), retryDelay: fc.jsonValue() }),
      ),
      fc.jsonValue(),
    ),
    run: fc.oneof(fc.constant({ runId: 'run-1' }), fc.jsonValue()),
  },
  { requiredKeys: [] },
)

const answer = fc.record({
  status: fc.oneof(fc.integer({ min: 200, max: 599 }), fc.constantFrom(200, 400, 409, 429, 503)),
  headers: fc.record(
    { 'retry-after': fc.oneof(prose, fc.array(prose)), 'content-type': fc.constantFrom('text/html', 'text/plain') },
    { requiredKeys: [] },
  ),
  body: fc.oneof(
    status.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string({ unit: 'binary' }),
  ),
})

it(
  'any answer gets a verdict that is whole',
  () => {
    fc.assert(
      fc.property(answer, (given) => {
        const verdict = classifyAnswer(given, 'run-1', 0)
        if (verdict.kind === 'applied') return given.status < 300
        const { waitMs } = { waitMs: undefined, ...verdict }
        return (
          verdict.message !== '' &&
          verdict.message.length <= 1000 &&
          verdict.httpStatus === given.status &&
          (waitMs === undefined || (Number.isSafeInteger(waitMs) && waitMs >= 0))
        )
      }),
      { numRuns },
    )
  },
  timeout,
)

it(
  'a duration as Go prints it is read back exactly',
  () => {
    const hours = fc.nat({ max: 5000 })
    const sixty = fc.nat({ max: 59 })
    fc.assert(
      fc.property(hours, sixty, sixty, prose, (h, m, s, noise) => {
        const told = `${noise.replace(/[a-z]/gi, '')} retry after ${h}h${m}m${s}s`
        return waitInProse(told.slice(-4096)) === ((h * 60 + m) * 60 + s) * 1000
      }),
      { numRuns },
    )
  },
  timeout,
)

it.each(['1', '1.', 'retry ', 'retry 1', 'retry after 1s, ', '-', ' ', '<', '9'])(
  'four megabytes of %j are read at once',
  (unit) => {
    const text = unit.repeat((4 * 1024 * 1024) / unit.length)
    const startedAt = performance.now()
    classifyAnswer({ status: 429, headers: { 'retry-after': text }, body: JSON.stringify({ message: text }) }, 'r', 0)
    classifyAnswer({ status: 429, headers: {}, body: text }, 'r', 0)
    expect(performance.now() - startedAt).toBeLessThan(2000)
  },
)
