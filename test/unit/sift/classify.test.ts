import { describe, expect, it } from 'vitest'
import { classifyAnswer, classifyOversizedAnswer } from '../../../src/sift/classify.js'
import type { Verdict } from '../../../src/sift/verdict.js'
import { loadVectors } from '../../support/vectors.js'

function classify(status: number, body: unknown, headers: Record<string, string> = {}): Verdict {
  return classifyAnswer({ status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) }, 'run-1', 0)
}

describe('the vectors', () => {
  for (const { name, response, now, expect: expected } of loadVectors('classify').cases) {
    it(name, () => {
      const verdict = classifyAnswer(response, 'run-1', now === undefined ? 0 : Date.parse(now))
      const { kind, reason, waitMs } = { reason: undefined, waitMs: undefined, ...verdict }
      expect({ kind, reason, waitMs }).toEqual({ reason: undefined, waitMs: undefined, ...expected })
    })
  }
})

describe('ambiguity', () => {
  it.each([
    [499, ''],
    [502, '<html>bad gateway</html>'],
    [504, ''],
    [504, { code: 14, message: 'upstream timed out' }],
    [500, { code: 1, message: 'cancelled' }],
    [500, { code: 4, message: 'deadline exceeded' }],
    [524, ''],
  ])('an answer %i %j leaves open whether the update was applied', (status, body) => {
    expect(classify(status, body)).toMatchObject({ kind: 'transient', ambiguous: true })
  })

  it.each([
    [500, { code: 13, message: 'internal' }],
    [503, ''],
    [408, ''],
    [409, { code: 10, message: 'aborted' }],
    [200, '{}'],
  ])('an answer %i %j does not', (status, body) => {
    expect(classify(status, body)).toMatchObject({ kind: 'transient', ambiguous: false })
  })

  it('a body that is too large is an invalid response, ambiguous as its status is', () => {
    expect(classifyOversizedAnswer(200, 10)).toMatchObject({ reason: 'invalid_response', ambiguous: false })
    expect(classifyOversizedAnswer(502, 10)).toMatchObject({ reason: 'invalid_response', ambiguous: true })
  })
})

describe('what a person is told', () => {
  it("is the API's own message, with status and code", () => {
    const verdict = classify(400, { code: 9, message: ' run is archived ' })
    expect(verdict).toMatchObject({ message: 'run is archived', httpStatus: 400, code: 9 })
  })

  it('is cut when it is too long, but never within a character', () => {
    const verdict = classify(400, { code: 3, message: `${'a'.repeat(998)}😀😀` })
    expect(verdict).toMatchObject({ message: `${'a'.repeat(998)}…` })
  })

  it('is a sentence of ours where the API said nothing', () => {
    expect(classify(302, '')).toMatchObject({ message: expect.stringContaining('check the base URL') })
    expect(classify(403, '<html>')).toMatchObject({ message: expect.stringContaining('HTML') })
    expect(classify(500, { code: 13, message: '  ' })).toMatchObject({ message: 'HTTP 500 without an error message' })
  })

  it('leaves out a code that google.rpc does not have', () => {
    expect(classify(503, { code: 99, message: '?' })).not.toHaveProperty('code')
  })
})

it('a run id that comes back in lower case is the same run', () => {
  const answer = { status: 200, headers: {}, body: '{"run":{"runId":"0a-bc"}}' }
  expect(classifyAnswer(answer, '0A-BC', 0)).toEqual({ kind: 'applied' })
})

it('a redirect is never about the run, whatever its body says', () => {
  expect(classify(307, { code: 5, message: 'not found' })).toMatchObject({ reason: 'unexpected_response' })
})

it('a page of HTML with status 413 condemns no update', () => {
  expect(classify(413, '<html>')).toMatchObject({ kind: 'held', reason: 'unexpected_response' })
})
