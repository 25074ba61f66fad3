import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { type ServedLane, startServedLane } from './served-lane.js'

const TOKEN = 'a-token-of-the-test'
const BEARER = { authorization: `Bearer ${TOKEN}` }

let redis: TestRedis
let open: ServedLane
let lane: ServedLane

beforeAll(async () => {
  redis = await startTestRedis()
  open = await startServedLane(redis)
  lane = await startServedLane(redis, { authToken: TOKEN })
})
afterAll(async () => {
  await open.close()
  await lane.close()
  await redis.close()
})

const ROUTES = [
  ['POST', '/v1/updates'],
  ['PATCH', '/api/v2/runs'],
  ['GET', '/v1/runs/run-1'],
  ['POST', '/v1/runs/run-1/flush'],
  ['GET', '/v1/dead-letters'],
  ['GET', '/v1/dead-letters/an-id'],
  ['POST', '/v1/dead-letters/retry'],
  ['POST', '/v1/dead-letters/discard'],
  ['POST', '/v1/dead-letters/an-id/retry'],
  ['POST', '/v1/dead-letters/an-id/discard'],
  ['GET', '/v1/status'],
  ['POST', '/v1/lane/hold'],
  ['POST', '/v1/lane/open'],
  ['GET', '/metrics'],
  ['GET', '/openapi.json'],
  ['GET', '/docs'],
  ['GET', '/'],
  ['GET', '/dashboard'],
  ['GET', '/dashboard/api/queues'],
  ['POST', '/sign-out'],
  ['GET', '/no-such-route'],
] as const

describe('with a token', () => {
  test.each(ROUTES)('%s %s is answered with 401 without it', async (method, path) => {
    const answer = await lane.call(method, path)
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await answer.json()).toMatchObject({ message: expect.stringContaining('token') })
  })

  test.each(['Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, 'Bearer'])(
    'a header that holds another one is answered with 401: %s',
    async (authorization) => {
      const answer = await lane.call('GET', '/v1/status', undefined, { authorization })
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    },
  )

  test('guessing it by a header is turned away after a hundred tries, and the right one never is', async () => {
    const served = await startServedLane(redis, { authToken: TOKEN })
    const guess = () => served.call('GET', '/v1/status', undefined, { authorization: 'Bearer a-guess' })
    for (let i = 0; i < 100; i++) expect((await guess()).status).toBe(401)
    const turnedAway = await guess()
    expect([turnedAway.status, Number(turnedAway.headers.get('retry-after'))]).toEqual([429, expect.any(Number)])
    expect(Number(turnedAway.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await turnedAway.json()).toMatchObject({ code: 8 })
    for (let i = 0; i < 20; i++) expect((await served.call('GET', '/v1/status', undefined, BEARER)).status).toBe(200)
    // Who shows none guesses nothing.
    expect((await served.call('GET', '/v1/status')).status).toBe(401)
    await served.close()
  })

  test('signing out ends the session in every process, and no other one', async () => {
    const other = await startServedLane(redis, { authToken: TOKEN, queueName: lane.lane.queueName })
    const [mine, another] = [await sessionOf(lane), await sessionOf(lane)]
    const copy = { cookie: mine }
    expect((await other.call('GET', '/v1/status', undefined, copy)).status).toBe(200)
    expect((await lane.call('POST', '/sign-out', undefined, copy)).status).toBe(303)
    for (const served of [lane, other]) {
      expect((await served.call('GET', '/v1/status', undefined, copy)).status).toBe(401)
      expect((await served.call('POST', '/v1/lane/open', undefined, copy)).status).toBe(401)
      expect((await served.call('GET', '/v1/status', undefined, { cookie: another })).status).toBe(200)
    }
    await other.close()
  })

  test('what is remembered of a session that was ended goes when the session would have', async () => {
    const cookie = await sessionOf(lane)
    await lane.call('POST', '/sign-out', undefined, { cookie })
    const [, id = ''] = cookie.split('.')
    const ttl = await redis.client().pttl(lane.lane.endedSession(id))
    expect(ttl).toBeGreaterThan(11.9 * 3_600_000)
    expect(ttl).toBeLessThanOrEqual(12 * 3_600_000)
  })

  test('every route of the document is among those that were tried', async () => {
    const { paths } = (await (await lane.call('GET', '/openapi.json', undefined, BEARER)).json()) as {
      paths: Record<string, object>
    }
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const tried = ROUTES.map(
      ([method, path]) => `${method} ${path.replace('run-1', '{runId}').replace('an-id', '{id}')}`,
    )
    expect(
      described.filter((route) => !tried.includes(route) && !route.includes('/livez') && !route.includes('/readyz')),
    ).toEqual([])
  })

  test('health is open to everybody', async () => {
    expect((await lane.call('GET', '/livez')).status).toBe(200)
    expect((await lane.call('GET', '/readyz')).status).toBe(200)
  })

  test('the icon of the pages is open to everybody, also where a browser looks for it by itself', async () => {
    for (const path of ['/sign-in', '/docs', '/']) {
      const html = await (await lane.call('GET', path, undefined, BEARER)).text()
      expect(html, path).toContain('<link rel="icon" type="image/svg+xml" href="/overview/icon.svg">')
    }
    const icon = await lane.call('GET', '/overview/icon.svg')
    expect([icon.status, icon.headers.get('content-type')]).toEqual([200, 'image/svg+xml; charset=utf-8'])
    const favicon = await lane.call('GET', '/favicon.ico')
    expect([favicon.status, favicon.headers.get('location')]).toEqual([302, '/overview/icon.svg'])
    expect((await lane.call('GET', '/overview/overview.js')).status).toBe(401)
  })

  test('it opens every door', async () => {
    expect((await lane.call('GET', '/v1/status', undefined, BEARER)).status).toBe(200)
    expect((await lane.call('POST', '/v1/updates', { run: { runId: 'a', name: 'n' } }, BEARER)).status).toBe(202)
  })

  test('a person is sent to the sign-in page, and back once signed in', async () => {
    const html = { accept: 'text/html' }
    const away = await lane.call('GET', '/docs?x=1', undefined, html)
    expect([away.status, away.headers.get('location')]).toEqual([303, '/sign-in?to=%2Fdocs%3Fx%3D1'])
    expect(await (await lane.call('GET', '/sign-in?to=%2Fdocs%3Fx%3D1')).text()).toContain('value="/docs?x=1"')

    const signedIn = await signIn(lane, { token: TOKEN, to: '/docs?x=1' })
    expect([signedIn.statusCode, signedIn.headers.location]).toEqual([303, '/docs?x=1'])
    const cookie = String(signedIn.headers['set-cookie'])
    expect(cookie).toMatch(/; HttpOnly/)
    expect(cookie).toMatch(/; SameSite=Strict/)
    expect(cookie).not.toContain(TOKEN)
    const [session = ''] = cookie.split(';')
    expect((await lane.call('GET', '/docs', undefined, { ...html, cookie: session })).status).toBe(200)

    const [until, id, signature] = session.split(/[=.]/).slice(1)
    const forged = `sift-run-updater-session=${Number(until) + 1}.${id}.${signature}`
    expect((await lane.call('GET', '/v1/status', undefined, { cookie: forged })).status).toBe(401)
  })

  test.each(['//elsewhere.example', 'https://elsewhere.example/', '/\\elsewhere.example', 'javascript:1'])(
    'signing in never leads to another host: %s',
    async (to) => {
      expect((await signIn(lane, { token: TOKEN, to })).headers.location).toBe('/')
    },
  )

  test('guessing is turned away, with 429 after a few tries', async () => {
    const served = await startServedLane(redis, { authToken: TOKEN })
    const statuses: number[] = []
    for (let i = 0; i < 11; i++) statuses.push((await signIn(served, { token: 'a guess' })).statusCode)
    expect([statuses[0], statuses.at(-1)]).toEqual([401, 429])
    const last = await signIn(served, { token: TOKEN })
    expect([last.statusCode, last.headers['retry-after']]).toEqual([429, expect.any(String)])
    await served.close()
  })

  test('the token is in no answer', async () => {
    for (const path of ['/docs', '/openapi.json', '/metrics', '/v1/status']) {
      expect(await (await lane.call('GET', path, undefined, BEARER)).text()).not.toContain(TOKEN)
    }
  })
})

describe('a page of another site', () => {
  test.each([
    { origin: 'https://elsewhere.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('changes nothing: %o', async (headers) => {
    for (const served of [open, lane]) {
      const { statusCode } = await post(served, '/v1/lane/hold', { why: 'x' }, { ...BEARER, ...headers } as Record<
        string,
        string
      >)
      expect(statusCode).toBe(403)
      expect((await served.throttle.read()).state).toBe('open')
    }
  })

  test('whose name was made to point here sees nothing, without a token', async () => {
    const { statusCode } = await request(`${open.url}/v1/status`, { headers: { host: 'elsewhere.example' } })
    expect(statusCode).toBe(403)
  })

  test('is not one of ours', async () => {
    const origin = open.url
    expect(
      (await post(open, '/v1/runs/run-1/flush', undefined, { origin, 'sec-fetch-site': 'same-origin' })).statusCode,
    ).toBe(200)
  })
})

test('each answer has the headers that keep a page in its place', async () => {
  for (const path of ['/docs', '/v1/status', '/no-such-route']) {
    const { headers } = await open.call('GET', path)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('content-security-policy')).not.toContain('unsafe')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  }
})

test('the page of Bull Board alone lets its own scripts add style elements, for its editor, and nothing else inline', async () => {
  const policy = async (path: string) => (await open.call('GET', path)).headers.get('content-security-policy') ?? ''
  expect((await policy('/dashboard')).split(';').filter((part) => part.includes('unsafe'))).toEqual([
    "style-src-elem 'self' 'unsafe-inline'",
  ])
  for (const path of ['/', '/dashboard/api/queues', '/dashboard/dashboard.css']) {
    expect(await policy(path)).not.toContain('unsafe')
  }
})

test('what Bull Board’s page is refused, it is told in our words, and never that the server has an error', async () => {
  const path = `/dashboard/api/queues/${open.lane.intakeQueueName}/add`
  const headers = { 'content-type': 'application/json' }
  const broken = await request(`${open.url}${path}`, { method: 'POST', headers, body: '{' })
  const foreign = await post(open, path, {}, { origin: 'https://elsewhere.example' })
  for (const [answer, status] of [
    [broken, 400],
    [foreign, 403],
  ] as const) {
    expect([answer.statusCode, await answer.body.json()]).toEqual([
      status,
      { error: 'That was refused', message: expect.stringMatching(/JSON|another site/) },
    ])
  }
})

test('no route changes anything by GET', async () => {
  for (const path of ['/v1/lane/hold', '/v1/runs/run-1/flush', '/v1/dead-letters/an-id/discard']) {
    expect((await open.call('GET', path)).status).toBe(404)
  }
})

function post(served: ServedLane, path: string, body: unknown, headers: Record<string, string>) {
  return request(`${served.url}${path}`, {
    method: 'POST',
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

async function sessionOf(served: ServedLane): Promise<string> {
  const { headers } = await signIn(served, { token: TOKEN })
  return String(headers['set-cookie']).split(';')[0] ?? ''
}

function signIn(served: ServedLane, form: Record<string, string>) {
  return request(`${served.url}/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  })
}
