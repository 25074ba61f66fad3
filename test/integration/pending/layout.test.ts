import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/errors.js'
import { checkLayout } from '../../../src/pending/layout.js'
import { laneOf } from '../../../src/redis/lane.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'

expectNoLeaks()

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})

afterAll(() => server.close())

test('a new lane is claimed for this layout, and known again', async () => {
  const redis = server.client()
  const lane = laneOf('new')
  await checkLayout(redis, lane)
  await checkLayout(redis, lane)
  expect(await redis.get(lane.schema)).toBe('1')
})

test('a lane of another layout is refused, and left as it is', async () => {
  const redis = server.client()
  const lane = laneOf('newer')
  await redis.set(lane.schema, '99')
  const check = checkLayout(redis, lane)
  await expect(check).rejects.toThrow(ConfigurationError)
  await expect(check).rejects.toThrow('layout version 99')
  expect(await redis.get(lane.schema)).toBe('99')
})
