import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Agent, RetryAgent, request } from 'undici'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AwaitedWrites } from '../../../src/http/awaited-writes.js'
import { OutcomeChannel } from '../../../src/http/outcome-channel.js'
import { OutcomeWait } from '../../../src/http/outcome-wait.js'
import { orderOf } from '../../../src/producer/enqueue-result.js'
import { laneOf } from '../../../src/redis/lane.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'
import { type ServedLane, startServedLane } from './served-lane.js'

const run = promisify(execFile)

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

const patch = (body: unknown, prefer?: string) =>
  lane.call('PATCH', '/api/v2/runs', body, prefer === undefined ? {} : { prefer })

const update = (fields: object, runId = 'run-1') => ({
  run: { runId, ...fields },
  updateMask: Object.keys(fields).join(','),
})

describe('a request of the Sift API', () => {
  test('is answered with what Sift answered to the PATCH that carried it', async () => {
    lane.addWorker()
    const answers = await Promise.all([patch(update({ name: 'a' })), patch(update({ description: 'b' }))])
    for (const answer of answers) {
      expect(answer.status).toBe(200)
      expect(answer.headers.get('sift-run-updater-outcome')).toBe('applied')
      expect(await answer.json()).toMatchObject({
        run: { runId: 'run-1', name: 'a', description: 'b', organizationId: expect.anything() },
      })
    }
    expect(lane.simulator.requests).toHaveLength(1)
  })

  test('whose field is refused gets the answer that condemned that field, and the others are applied', async () => {
    lane.simulator.setFaults({
      refuse: (_runId, mask) =>
        mask.includes('description') ? { code: 11, message: 'no such description' } : undefined,
    })
    lane.addWorker()
    const other = patch(update({ tags: ['t'] }))
    const answer = await patch(update({ name: 'n', description: 'd' }))
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 11, message: 'no such description' })
    expect((await other).status).toBe(200)
    expect(lane.simulator.runs.get('run-1')).toMatchObject({ name: 'n', tags: ['t'] })
  })

  test('of a run that Sift denies gets that answer', async () => {
    lane.simulator.setFaults({ deny: new Set(['run-1']) })
    lane.addWorker()
    const answer = await patch(update({ name: 'n' }))
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ code: 7 })
  })

  test('whose write is superseded while it is pending is answered by the PATCH with the newer one', async () => {
    const client = redis.client()
    const merged = () => client.hget(lane.lane.pending('run-1'), 'updates')
    const first = patch(update({ name: 'first' }))
    await waitFor('the first to be merged', async () => (await merged()) === '1')
    const second = patch(update({ name: 'second' }))
    await waitFor('the second to be merged', async () => (await merged()) === '2')
    lane.addWorker()
    for (const answer of await Promise.all([first, second])) expect(answer.status).toBe(200)
    expect(lane.simulator.requests).toHaveLength(1)
  })

  test('that is older than what is known is answered with 200 at once', async () => {
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'new' }, observedAt: '2026-01-01T00:00:01Z' })
    const answer = await patch({ ...update({ name: 'old' }), observedAt: '2026-01-01T00:00:00Z' })
    expect([answer.status, answer.headers.get('sift-run-updater-outcome')]).toEqual([200, 'stale'])
  })

  test.each([
    ['alone', {}, undefined],
    ['alone, and nobody waits', {}, 'respond-async'],
    ['beside a field that was taken, and nobody waits', { name: 'n' }, 'respond-async'],
    ['beside a field that is still pending when the time is up', { name: 'n' }, 'wait=0'],
    ['beside a field that is still pending after a wait', { name: 'n' }, 'wait=1'],
  ])('with another client key than the one that came first is refused, %s', async (_how, others, prefer) => {
    await lane.producer.enqueue({ run: { runId: 'run-1', clientKey: 'first' } })
    const answer = await patch(update({ clientKey: 'second', ...others }), prefer)
    expect([answer.status, answer.headers.get('sift-run-updater-outcome')]).toEqual([400, 'conflict'])
    expect(await answer.json()).toMatchObject({ code: 9 })
  })

  test('with a client key that is applied already is answered with 200', async () => {
    lane.addWorker()
    expect((await patch(update({ clientKey: 'key' }))).status).toBe(200)
    expect((await patch(update({ clientKey: 'key' }))).status).toBe(200)
    expect((await patch(update({ clientKey: 'key', name: 'n' }))).status).toBe(200)
  })

  test('is answered with 202 when the time is up, and at once for respond-async', async () => {
    const startedAt = performance.now()
    const atOnce = await patch(update({ name: 'a' }), 'respond-async')
    expect([atOnce.status, atOnce.headers.get('preference-applied')]).toEqual([202, 'respond-async'])
    expect(performance.now() - startedAt).toBeLessThan(900)
    const answer = await patch(update({ name: 'b' }), 'wait=1')
    expect(performance.now() - startedAt).toBeGreaterThan(1_000)
    expect([answer.status, answer.headers.get('location')]).toEqual([202, '/v1/runs/run-1'])
    expect(answer.headers.get('preference-applied')).toBe('wait=1')
  })

  test('whose preference can not be read is answered as one without', async () => {
    lane.addWorker()
    const answer = await patch(update({ name: 'a' }), 'wait=abc')
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, null])
  })

  test('that the parser refuses gets code 3 with 400, and the path', async () => {
    const answer = await patch({ run: { runId: 'run-1', name: 5 } })
    expect(answer.status).toBe(400)
    const body = (await answer.json()) as { details: object[] }
    expect(body).toMatchObject({ code: 3, message: expect.stringContaining('run.name') })
    expect(body.details).toContainEqual(
      expect.objectContaining({ fieldViolations: [{ field: 'run.name', description: expect.any(String) }] }),
    )
  })

  test('is answered although the connection of the announcements was lost meanwhile', async () => {
    lane.simulator.setFaults({ latencyMs: 200 })
    lane.addWorker()
    const waiting = patch(update({ name: 'a' }), 'wait=5')
    await lane.simulator.next('request')
    await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    expect((await waiting).status).toBe(200)
  })

  test.each([
    { what: 'applied', denied: [], fate: { outcome: 'applied' } },
    { what: 'a dead letter', denied: ['run-1'], fate: { outcome: 'refused', answer: { status: 403 } } },
  ])('is answered by what Redis remembers where no announcement came: $what', async ({ denied, fate }) => {
    const client = redis.client()
    const outcomes = new OutcomeChannel(redis.client(), laneOf('another-lane'))
    lane.simulator.setFaults({ deny: new Set(denied) })
    const wait = new OutcomeWait({ redis: client, lane: lane.lane, deadLetters: lane.deadLetters, outcomes }, 'run-1')
    const order = orderOf(await lane.producer.enqueue({ run: { runId: 'run-1', name: 'n' } }))
    lane.addWorker()
    await lane.drained()
    if (!order) throw new TypeError('the update was not taken')
    expect(await wait.for(new AwaitedWrites(['name'], order), 20)).toMatchObject(fate)
  })

  test('that nobody waits for is not announced', async () => {
    const subscriber = redis.client()
    const heard: string[] = []
    subscriber.on('message', (_channel, text) => heard.push(text))
    await subscriber.subscribe(lane.lane.outcomes)
    lane.addWorker()
    await lane.producer.enqueue({ run: { runId: 'run-1', name: 'n' } })
    await lane.drained()
    expect((await patch(update({ name: 'a' }))).status).toBe(200)
    expect(heard).toHaveLength(1)
  })

  test('that waits when the server closes is answered with 202', async () => {
    const closing = await startServedLane(redis)
    const waiting = closing.call('PATCH', '/api/v2/runs', update({ name: 'a' }))
    await waitFor('the update to be merged', () => redis.client().exists(closing.lane.pending('run-1')))
    await closing.close()
    expect((await waiting).status).toBe(202)
  })
})

describe('a client that nobody here wrote', () => {
  beforeEach(() => {
    lane.addWorker()
  })

  test('curl', async () => {
    const body = JSON.stringify(update({ name: 'by curl' }))
    const args = ['-sS', '-X', 'PATCH', '-H', 'content-type: application/json', '-w', '\n%{http_code}', '-d', body]
    const { stdout } = await run('curl', [...args, `${lane.url}/api/v2/runs`])
    const [json = '', status] = stdout.split('\n')
    expect([status, JSON.parse(json)]).toMatchObject(['200', { run: { name: 'by curl' } }])
  })

  test("undici's RetryAgent waits as it is told, and comes again", async () => {
    lane.simulator.setFaults({ latencyMs: 20 })
    const agent = new RetryAgent(new Agent(), { methods: ['PATCH'], minTimeout: 50, statusCodes: [503] })
    const limited = await startServedLane(redis, { maxPendingRuns: 1 })
    await limited.producer.enqueue({ run: { runId: 'first', name: 'n' } })
    const answer = request(`${limited.url}/api/v2/runs`, {
      dispatcher: agent,
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(update({ name: 'again' }, 'second')),
    })
    limited.addWorker()
    const { statusCode, body } = await answer
    expect([statusCode, await body.json()]).toMatchObject([200, { run: { name: 'again' } }])
    await agent.close()
    await limited.close()
  })

  test("Python's urllib", async () => {
    const script = `
import json, sys, urllib.request, urllib.error
def patch(body):
    request = urllib.request.Request(sys.argv[1], json.dumps(body).encode(), {"Content-Type": "application/json"}, method="PATCH")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
print(json.dumps([patch({"run": {"runId": "run-1", "name": "by urllib"}}), patch({"run": {}})]))
`
    const { stdout } = await run('python3', ['-c', script, `${lane.url}/api/v2/runs`])
    expect(JSON.parse(stdout)).toMatchObject([
      [200, { run: { name: 'by urllib' } }],
      [400, { code: 3 }],
    ])
  })
})
