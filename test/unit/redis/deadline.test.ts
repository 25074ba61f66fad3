import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { before } from '../../../src/redis/deadline.js'

test('a task that throws at once leaves no time-out behind that nobody catches', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => {
    process.off('unhandledRejection', note)
  })
  const call = before(performance.now() + 5, () => {
    throw new Error('at once')
  })
  await expect(call).rejects.toThrow('at once')
  await delay(20)
  expect(unhandled).toEqual([])
})
