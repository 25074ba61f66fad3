import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Flow } from '../../../src/http/overview/flow.js'
import type { Snapshot } from '../../../src/http/overview/snapshot.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'
import { failedJob, letterGone, refusal } from '../dead-letters/letters.js'
import { type ServedLane, startServedLane } from '../http/served-lane.js'

let redis: TestRedis
let lane: ServedLane

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  lane = await startServedLane(redis)
})
afterEach(() => lane.close())

interface Look {
  readonly snapshot: Snapshot
  readonly flow: Flow | null
}

/** Watches the stream as a browser does. */
async function watch() {
  const ending = new AbortController()
  const answer = await fetch(`${lane.url}/overview/events`, { signal: ending.signal })
  const looks: Look[] = []
  let begun: { readonly flows: readonly Flow[] } = { flows: [] }
  let hasEnded = false
  const reading = (async () => {
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const data = /^event: look\ndata: (.*)$/m.exec(event)?.[1]
        if (data) looks.push(JSON.parse(data))
        const beginning = /^event: begin\ndata: (.*)$/m.exec(event)?.[1]
        if (beginning) begun = JSON.parse(beginning)
      }
    }
  })().then(
    () => {
      hasEnded = true
    },
    () => {},
  )
  return {
    answer,
    looks,
    begin: () => begun,
    hasEnded: () => hasEnded,
    end: async () => {
      ending.abort()
      await reading
    },
  }
}

test('every file of the page is served, with its type and the strict policy', async () => {
  const html = await (await lane.call('GET', '/')).text()
  const paths = [...html.matchAll(/(?:href|src)="(\/overview\/[^"]+)"/g)].map(([, path]) => path ?? '')
  expect(paths.length).toBeGreaterThan(3)
  for (const path of [...paths, '/overview/chart.js', '/overview/run.js']) {
    const answer = await lane.call('GET', path)
    expect([path, answer.status]).toEqual([path, 200])
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(answer.headers.get('content-type')).toMatch(/^(text\/(css|javascript)|image\/svg\+xml)/)
  }
  expect(html).not.toMatch(/https?:\/\/|<style|\sstyle=|\son\w+=/)
})

test('the stream tells exactly as many updates and PATCHes as there were, whichever process they were in', async () => {
  lane.addWorker()
  const { looks, end } = await watch()
  await waitFor('two looks', () => looks.length >= 2)
  const other = lane.addProducer()
  const batch = (name: string) =>
    Array.from({ length: 30 }, (_, index) => ({ run: { runId: `run-${index % 3}`, name } }))
  for (const producer of [lane.producer, other, other]) await producer.enqueueMany(batch(`${Math.random()}`))
  await lane.drained()
  const seen = looks.length
  await waitFor('two further looks', () => looks.length >= seen + 2)
  const sum = (key: 'updates' | 'patches') => looks.reduce((total, { flow }) => total + (flow?.[key] ?? 0), 0)
  expect([sum('updates'), sum('patches')]).toEqual([90, lane.simulator.requests.length])
  await end()
})

test('the stream tells what is pending and since when, and the throttle with its reason', async () => {
  await lane.addProducer({ coalesceWindowMs: 60_000 }).enqueue({ run: { runId: 'run-1', name: 'n' } })
  await lane.throttle.hold('maintenance')
  const { looks, end } = await watch()
  await waitFor('a look', () => looks.length > 0)
  expect(looks[0]?.snapshot).toMatchObject({
    pendingRuns: 1,
    lane: { state: 'held', reason: 'operator', detail: 'maintenance', untilMs: null },
    jobs: { flush: 1, intake: 0 },
  })
  await end()
})

test('whoever comes finds the burst of before, and how many updates a PATCH took', async () => {
  lane.addWorker()
  await lane.producer.enqueueMany(
    Array.from({ length: 60 }, (_, n) => ({ run: { runId: `r-${n % 3}`, name: `${n}` } })),
  )
  await lane.drained()
  const { begin, looks, end } = await watch()
  const sum = (key: 'updates' | 'patches' | 'merged') =>
    [...begin().flows, ...looks.flatMap(({ flow }) => flow ?? [])].reduce((total, flow) => total + flow[key], 0)
  await waitFor('the burst to be told', () => sum('updates') > 0)
  expect([sum('updates'), sum('patches'), sum('merged')]).toEqual([60, lane.simulator.requests.length, 60])
  await end()
})

test('nobody watches: Redis is asked some twenty commands every five seconds', async () => {
  const client = redis.client()
  const count = async () => Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1])
  const before = await count()
  await new Promise((resolve) => setTimeout(resolve, 5_500))
  // The scripts' own commands are counted, and what keeps the lane's connections up.
  expect((await count()) - before).toBeLessThan(80)
})

test('retry all takes the letters of one reason only', async () => {
  const ids: string[] = []
  for (const run of ['run-1', 'run-2']) ids.push((await lane.deadLetters.record(refusal(run))).id)
  const other = await lane.deadLetters.record(refusal('run-3', { reason: 'run_not_found' }))
  lane.addWorker()
  for (const id of [...ids, other.id]) await failedJob(lane, id)
  const answer = await lane.call('POST', '/overview/retry-all', { reason: 'invalid_argument' })
  expect(await answer.json()).toEqual({ asked: 2 })
  for (const id of ids) await letterGone(lane, id)
  expect(await lane.deadLetters.find(other.id)).toBeDefined()
})

test.each([{}, { reason: '' }, { reason: 5 }, { reason: 'x', more: 1 }, 'text'])(
  'retry all of %j is the client’s mistake',
  async (body) => {
    expect((await lane.call('POST', '/overview/retry-all', body)).status).toBe(400)
  },
)

test('a server that closes ends the streams, and waits for none of them', async () => {
  const own = await startServedLane(redis)
  const answer = await fetch(`${own.url}/overview/events`)
  const startedAt = performance.now()
  await own.close()
  expect(performance.now() - startedAt).toBeLessThan(900)
  await answer.body?.cancel()
})

test('a Redis that hangs is logged once, also when nobody watches, and once when it is back', async () => {
  const lines: string[] = []
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line).msg) })
  const own = await startServedLane(redis, { logger })
  try {
    redis.freeze()
    await waitFor('a warning', () => lines.length > 0, { timeoutMs: 15_000 })
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    redis.thaw()
    await waitFor('it to be back', () => lines.includes('Redis is back'), { timeoutMs: 15_000 })
    expect(lines).toEqual(['Redis is away; trying until it is back', 'Redis is back'])
  } finally {
    redis.thaw()
    await own.close()
  }
})
