import type { Dispatcher } from 'undici'
import { expect, it, vi } from 'vitest'
import { type HttpRequest, sendRequest } from '../../../src/sift/request.js'

const REQUEST: HttpRequest = { method: 'PATCH', path: '/', headers: {}, body: '{}' }
const LIMITS = { timeoutMs: 10_000, maxBodyBytes: 10 }

/** A dispatcher that leaves it to the test to play the connection. */
class FakeDispatcher {
  handler: Dispatcher.DispatchHandler | undefined
  dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.handler = handler
    return true
  }
  start() {
    const abort = vi.fn<(reason: Error) => void>()
    const controller = { aborted: false, paused: false, reason: null, abort, pause() {}, resume() {} }
    this.handler?.onRequestStart?.(controller, {})
    return controller
  }
}

it('a connection that comes after the deadline, but before its timer could fire, sends nothing', async () => {
  const dispatcher = new FakeDispatcher()
  const outcome = sendRequest(dispatcher, REQUEST, { ...LIMITS, timeoutMs: 5 })
  const busyUntil = performance.now() + 10
  while (performance.now() < busyUntil);
  expect(dispatcher.start().abort).toHaveBeenCalledOnce()
  expect(await outcome).toMatchObject({ kind: 'failed', sent: false })
})

it('a request that was given up while it waited for a connection is not sent when one comes', async () => {
  const dispatcher = new FakeDispatcher()
  const caller = new AbortController()
  const outcome = sendRequest(dispatcher, REQUEST, { ...LIMITS, signal: caller.signal })
  caller.abort()
  expect(await outcome).toMatchObject({ kind: 'failed', sent: false })
  expect(dispatcher.start().abort).toHaveBeenCalledOnce()
})

it('a request is not written a second time, even if undici tries to', async () => {
  const dispatcher = new FakeDispatcher()
  const outcome = sendRequest(dispatcher, REQUEST, LIMITS)
  expect(dispatcher.start().abort).not.toHaveBeenCalled()
  expect(dispatcher.start().abort).toHaveBeenCalledOnce()
  expect(await outcome).toMatchObject({ kind: 'failed', sent: true, error: { code: 'UND_ERR_SOCKET' } })
})

it.each([
  ['an aborted signal', { signal: AbortSignal.abort() }],
  ['no time left', { timeoutMs: 0 }],
])('with %s, the request is not even queued', async (_name, limits) => {
  const dispatcher = new FakeDispatcher()
  expect(await sendRequest(dispatcher, REQUEST, { ...LIMITS, ...limits })).toMatchObject({
    kind: 'failed',
    sent: false,
  })
  expect(dispatcher.handler).toBeUndefined()
})

it('an interim answer is not the answer, and characters cut between chunks are put together', async () => {
  const dispatcher = new FakeDispatcher()
  const outcome = sendRequest(dispatcher, REQUEST, LIMITS)
  const controller = dispatcher.start()
  const euro = Buffer.from('€')
  dispatcher.handler?.onResponseStart?.(controller, 103, {})
  dispatcher.handler?.onResponseStart?.(controller, 200, { server: 'x' })
  dispatcher.handler?.onResponseData?.(controller, euro.subarray(0, 1))
  dispatcher.handler?.onResponseData?.(controller, euro.subarray(1))
  dispatcher.handler?.onResponseEnd?.(controller, {})
  expect(await outcome).toEqual({ kind: 'answered', answer: { status: 200, headers: { server: 'x' }, body: '€' } })
})

it('the signal is let go of once the request has ended', async () => {
  const dispatcher = new FakeDispatcher()
  const { signal } = new AbortController()
  const removed = vi.spyOn(signal, 'removeEventListener')
  const outcome = sendRequest(dispatcher, REQUEST, { ...LIMITS, signal })
  dispatcher.handler?.onResponseError?.(dispatcher.start(), new Error('cut'))
  await outcome
  expect(removed).toHaveBeenCalledOnce()
})
