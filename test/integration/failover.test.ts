import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { connect, WORKER_CONNECTION } from '../../src/redis/connection.js'
import { type HeldUpRedis, startHeldUpRedis } from '../support/held-up-redis.js'
import { expectNoLeaks } from '../support/leaks.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { waitFor } from '../support/wait-for.js'
import { type ServedLane, startServedLane } from './http/served-lane.js'

expectNoLeaks()

let oldPrimary: TestRedis
let newPrimary: TestRedis
let address: HeldUpRedis
let lane: ServedLane

beforeEach(async () => {
  oldPrimary = await startTestRedis({ args: ['--repl-diskless-sync-delay', '0'] })
  newPrimary = await startTestRedis()
  address = await startHeldUpRedis(oldPrimary.url)
  await newPrimary.client().replicaof('127.0.0.1', oldPrimary.port)
  lane = await startServedLane({ ...oldPrimary, url: address.url }, { redis: address.url })
})
afterEach(async () => {
  await lane.close()
  await address.close()
  await Promise.all([oldPrimary.close(), newPrimary.close()])
  vi.restoreAllMocks()
})

/** The old primary is a replica from now on, and leaves all its connections open. */
async function failOver(): Promise<void> {
  await waitFor('the replica to be in step', async () =>
    (await newPrimary.client().info('replication')).includes('master_link_status:up'),
  )
  await oldPrimary.client().wait(1, 1_000)
  await newPrimary.client().replicaof('NO', 'ONE')
  address.moveTo(newPrimary.url)
  await oldPrimary.client().replicaof('127.0.0.1', newPrimary.port)
}

describe('a failover that leaves the old connections open', () => {
  test('is followed by a producer within the calls that meet it, in their order', async () => {
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'before' } })
    await failOver()
    const names = Array.from({ length: 300 }, (_, number) => `name ${number}`)
    const calls = names.map((name) => lane.producer.enqueue({ run: { runId: 'run-1', name } }))
    expect(new Set((await Promise.all(calls)).map(({ status }) => status))).toEqual(new Set(['accepted']))
    expect(await newPrimary.client().hget(lane.lane.pending('run-1'), 'value:name')).toBe('"name 299"')
  })

  test('is followed by a worker, which ends what it had begun and takes what comes', async () => {
    await lane.addWorker().ready()
    lane.simulator.setFaults({ latencyMs: 300 })
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'before' } })
    await lane.simulator.next('request')
    await failOver()
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'after' } })
    await waitFor('the update to be sent', () => lane.simulator.runs.get('run-1')?.name === 'after', {
      timeoutMs: 20_000,
    })
  })

  test('is followed by an HTTP interface, also by what tells it of the end of a request', async () => {
    await lane.addWorker().ready()
    await failOver()
    const body = { run: { runId: 'run-1', name: 'after' } }
    const patch = await lane.call('PATCH', '/api/v2/runs', body)
    // Sift's own answer, which is announced and not remembered.
    expect(await patch.json()).toMatchObject({ run: { runId: 'run-1', name: 'after' } })
    const hold = () => lane.call('POST', '/v1/lane/hold', { why: 'a test' })
    expect((await hold()).status).toBe(503)
    await waitFor('the interface to follow', async () => (await hold()).status === 200)
  })

  test('makes a connection anew once, and without a warning, however many commands met it', async () => {
    const warnings: string[] = []
    const note = ({ message }: Error) => warnings.push(message)
    process.on('warning', note)
    const redis = connect(address.url, WORKER_CONNECTION, () => {})
    await once(redis, 'ready')
    let connections = 1
    redis.on('ready', () => connections++)
    await failOver()
    const refused = await Promise.allSettled(Array.from({ length: 40 }, () => redis.set('key', 'value')))
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(await redis.set('key', 'value')).toBe('OK')
    process.off('warning', note)
    redis.disconnect()
    expect({ connections, warnings }).toEqual({ connections: 2, warnings: [] })
  })
})

/** Nothing that is sent to the old primary is answered, or refused. */
async function vanish(): Promise<void> {
  address.holdUp()
  address.moveTo(newPrimary.url)
  await newPrimary.client().replicaof('NO', 'ONE')
}

describe('a server that vanished without a word', () => {
  test.each([
    ['at work', 0],
    ['that has idled', 6_000],
  ])('is left by a producer %s after the first call', async (_which, idleMs) => {
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'before' } })
    await vanish()
    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + idleMs)
    await expect(lane.producer.enqueue({ run: { runId: 'run-1', name: 'lost' } })).rejects.toThrow('did not answer')
    expect(await lane.producer.enqueue({ run: { runId: 'run-1', name: 'after' } })).toMatchObject({
      status: 'accepted',
    })
  })

  test('is left by an HTTP interface within seconds', async () => {
    const status = async () => (await lane.call('GET', '/v1/status')).status
    expect(await status()).toBe(200)
    await vanish()
    expect(await status()).toBe(503)
    await waitFor('the interface to follow', async () => (await status()) === 200, { timeoutMs: 15_000 })
  })
})
