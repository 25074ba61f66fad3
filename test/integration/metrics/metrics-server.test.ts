import { Gauge, Registry } from 'prom-client'
import { beforeEach, describe, expect, test } from 'vitest'
import { type MetricsServer, startMetricsServer } from '../../../src/http/metrics-server.js'
import { expectNoLeaks } from '../../support/leaks.js'

expectNoLeaks()

let registry: Registry

beforeEach(() => {
  registry = new Registry()
  new Gauge({ name: 'sift_run_updater_redis_up', help: 'h', registers: [registry] }).set(1)
})

async function withServer(authToken: string | undefined, task: (server: MetricsServer) => Promise<void>) {
  const server = await startMetricsServer(registry, { host: '127.0.0.1', port: 0, authToken })
  try {
    await task(server)
  } finally {
    await server.close()
  }
}

test("serves the metrics in Prometheus's format, and nothing else", async () => {
  await withServer(undefined, async ({ url }) => {
    const response = await fetch(url)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(await response.text()).toContain('sift_run_updater_redis_up 1')
    expect((await fetch(new URL('/', url))).status).toBe(404)
    expect((await fetch(url, { method: 'POST' })).status).toBe(404)
  })
})

describe('with a token', () => {
  test('serves who brings it', async () => {
    await withServer('the-token', async ({ url }) => {
      const response = await fetch(url, { headers: { authorization: 'Bearer the-token' } })
      expect(response.status).toBe(200)
    })
  })

  test.each(['', 'Bearer ', 'Bearer the-toke', 'Bearer the-token2', 'the-token'])(
    'turns "%s" away, and tells nothing',
    async (authorization) => {
      await withServer('the-token', async ({ url }) => {
        const response = await fetch(url, { headers: { authorization } })
        expect(response.status).toBe(401)
        expect(await response.text()).not.toMatch(/sift_run_updater|the-token/)
      })
    },
  )
})

test('a port that is taken is an error', async () => {
  await withServer(undefined, async ({ url }) => {
    const port = Number(new URL(url).port)
    await expect(startMetricsServer(registry, { host: '127.0.0.1', port })).rejects.toThrow('EADDRINUSE')
  })
})
