import { Readable } from 'node:stream'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { startTestRedis } from '../../support/redis.js'
import { startServedLane } from './served-lane.js'

const LINES = 1_000_000
const CHUNK = 1_000
const RUNS = 500

/** What a million updates and their answers would take many times over. */
const MOST_GROWTH_BYTES = 256 * 1024 * 1024

test('a million lines are taken in, and answered, in bounded memory', { timeout: 180_000 }, async () => {
  const redis = await startTestRedis()
  const lane = await startServedLane(redis)
  const before = process.memoryUsage().rss
  let peak = before
  const body = Readable.from(
    (function* () {
      for (let start = 0; start < LINES; start += CHUNK) {
        peak = Math.max(peak, process.memoryUsage().rss)
        let chunk = ''
        for (let i = start; i < start + CHUNK; i++) chunk += `{"run":{"runId":"run-${i % RUNS}","name":"name ${i}"}}\n`
        yield chunk
      }
    })(),
    { objectMode: false },
  )
  const { statusCode, body: answer } = await request(`${lane.url}/v1/updates`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  expect(statusCode).toBe(202)
  let lines = 0
  let tail = ''
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    for (const byte of chunk) if (byte === 0x0a) lines++
    tail = (tail + chunk.toString()).slice(-200)
  }
  expect(lines).toBe(LINES + 1)
  expect(tail).toContain(`{"summary":{"read":${LINES},"accepted":${LINES},`)
  expect(peak - before).toBeLessThan(MOST_GROWTH_BYTES)
  await lane.close()
  await redis.close()
})
