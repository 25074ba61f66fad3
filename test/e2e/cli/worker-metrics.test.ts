import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Simulator, startSimulator } from '../../../src/simulator/simulator.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'
import { type Env, type Running, runCommand, startCommand, updateLine } from './command.js'

let redis: TestRedis
let simulator: Simulator
let env: Env

beforeAll(async () => {
  redis = await startTestRedis()
  simulator = await startSimulator({ createRuns: true })
})
afterAll(async () => {
  await simulator.close()
  await redis.close()
})
beforeEach(() => {
  env = { REDIS_URL: redis.url, SIFT_REST_URL: simulator.url, SIFT_API_KEY: 'a-key', COALESCE_WINDOW_MS: '10' }
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function metricsUrl(worker: Running): string {
  const url = /metrics (http\S+\/metrics)/.exec(worker.stdout)?.[1]
  if (url === undefined) throw new Error(`no address of metrics in ${worker.stdout}`)
  return url
}

test('worker --metrics-port serves what it sends and what waits, until it ends', async () => {
  const worker = startCommand(['worker', '--metrics-port', '0'], env)
  await worker.told('stdout', 'worker ready')
  await runCommand(['enqueue'], { env, input: updateLine('a', { name: 'n' }) })
  const text = await waitFor('the PATCH to be counted', async () => {
    const metrics = await (await fetch(metricsUrl(worker))).text()
    return metrics.includes('patches_total{lane="run-updates",outcome="applied"} 1') ? metrics : false
  })
  expect(text).toContain('sift_run_updater_redis_up{lane="run-updates"} 1')
  expect(text).toMatch(/sift_run_updater_pending_runs\{lane="run-updates"\} [01]/)
  expect(text).not.toContain('a-key')
  worker.process.kill('SIGTERM')
  expect((await worker.ended).code).toBe(0)
})

test('without a token it listens on no address that other machines can reach', async () => {
  const { code, stderr } = await runCommand(['worker', '--metrics-port', '0', '--host', '0.0.0.0'], { env })
  expect(code).toBe(2)
  expect(stderr).toContain('AUTH_TOKEN')
})

test('with a token it asks for that', async () => {
  env = { ...env, HOST: '0.0.0.0', AUTH_TOKEN: 'the-token-of-the-test', METRICS_PORT: '0' }
  const worker = startCommand(['worker'], env)
  await worker.told('stdout', 'worker ready')
  const { port } = new URL(metricsUrl(worker))
  const url = `http://127.0.0.1:${port}/metrics`
  expect((await fetch(url)).status).toBe(401)
  expect((await fetch(url, { headers: { authorization: 'Bearer the-token-of-the-test' } })).status).toBe(200)
  worker.process.kill('SIGTERM')
  const { code, stdout, stderr } = await worker.ended
  expect(code).toBe(0)
  expect(stdout + stderr).not.toContain('the-token-of-the-test')
})

test('a port that is taken is wrong configuration', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, stderr } = await runCommand(['worker', '--metrics-port', String(port)], { env })
  expect(code).toBe(2)
  expect(stderr).toContain(`METRICS_PORT is ${port}`)
  server.close()
})

test('where Redis is away, the metrics tell so, and the worker still ends', async () => {
  const port = await freePort()
  const worker = startCommand(['worker'], { ...env, REDIS_URL: 'redis://127.0.0.1:1', METRICS_PORT: String(port) })
  await worker.told('stderr', 'Redis is away')
  const text = await waitFor('the metrics', async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
  expect(text).toContain('sift_run_updater_redis_up{lane="run-updates"} 0')
  worker.process.kill('SIGTERM')
  expect((await worker.ended).code).toBe(0)
})
