import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../support/fleet.js'
import { MixedUpdates } from '../support/mixed-updates.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'

let redis: TestRedis
let fleet: Fleet
let dir: string

beforeEach(async () => {
  redis = await startTestRedis()
  dir = await mkdtemp(join(tmpdir(), 'sift-run-updater-key-'))
})
afterEach(async () => {
  await fleet.close()
  await redis.close()
  await rm(dir, { recursive: true })
})

test('a revoked key holds the lane, dead-letters nothing, and the one that replaces it in its file opens it', async () => {
  const apiKeyFile = join(dir, 'key')
  await writeFile(apiKeyFile, 'first-key\n')
  fleet = await startFleet(redis, { apiKeyFile, simulator: { apiKey: 'first-key' } })
  const { simulator, throttle, deadLetters } = fleet.pipeline
  const mix = new MixedUpdates({ seed: 21, runs: 200 })
  await fleet.send(mix.take(1_000), (batches) => {
    if (batches === 10) simulator.setApiKey('second-key')
  })
  await waitFor('the lane to be held', async () => (await throttle.read()).reason === 'unauthenticated')
  await fleet.send(mix.take(1_000))
  for (let probes = 0; probes < 5; probes++) {
    await simulator.next('finished', ({ status }) => status === 401)
    expect(await throttle.read()).toMatchObject({ state: 'held', reason: 'unauthenticated' })
  }
  await writeFile(apiKeyFile, 'second-key\n')
  await fleet.expectNothingLost()
  expect(await throttle.read()).toMatchObject({ state: 'open' })
  expect(await deadLetters.counts()).toMatchObject({ recorded: 0 })
})
