import formbody from '@fastify/formbody'
import type { FastifyPluginAsync } from 'fastify'
import type { EndedSessions } from './ended-sessions.js'
import { SIGN_INS } from './guesses.js'
import { escapeHtml, page } from './page.js'
import { type AuthToken, SESSION_MS } from './token.js'

export const SESSION_COOKIE = 'sift-run-updater-session'

const MOST_FORM_BYTES = 4 * 1024

const COOKIE = { httpOnly: true, sameSite: 'strict', path: '/' } as const

export interface SignInParts {
  readonly token: AuthToken
  readonly endedSessions: EndedSessions
}

/** `/sign-in` and `/sign-out`, for people. */
export const signInRoutes: FastifyPluginAsync<SignInParts> = async (server, { token, endedSessions }) => {
  await server.register(formbody, { bodyLimit: MOST_FORM_BYTES })
  const isOpen = { isOpen: true }
  const hide = { hide: true }

  server.get('/sign-in', { config: isOpen, schema: hide }, async (request, reply) => {
    return reply.type('text/html; charset=utf-8').send(signInPage(localPath(request.query)))
  })

  server.post('/sign-in', { config: { ...isOpen, rateLimit: SIGN_INS }, schema: hide }, async (request, reply) => {
    const { token: given } = (request.body ?? {}) as { token?: unknown }
    const to = localPath(request.body)
    if (typeof given !== 'string' || !token.is(given)) {
      return reply.code(401).type('text/html; charset=utf-8').send(signInPage(to, 'That is not the token.'))
    }
    reply.setCookie(SESSION_COOKIE, token.openSession(Date.now()), {
      ...COOKIE,
      secure: request.protocol === 'https',
      maxAge: SESSION_MS / 1_000,
    })
    return reply.redirect(to, 303)
  })

  server.post('/sign-out', { schema: hide }, async (request, reply) => {
    const nowMs = Date.now()
    const session = token.readSession(request.cookies[SESSION_COOKIE], nowMs)
    if (session) await endedSessions.add(session, nowMs)
    return reply.clearCookie(SESSION_COOKIE, COOKIE).redirect('/sign-in', 303)
  })
}

/** Where to go once signed in: a path of ours, never another host. */
function localPath(given: unknown): string {
  const { to } = (given ?? {}) as { to?: unknown }
  const base = 'http://here'
  if (typeof to !== 'string' || !URL.canParse(to, base)) return '/'
  const { origin, pathname, search } = new URL(to, base)
  return origin === base && !pathname.startsWith('//') ? pathname + search : '/'
}

function signInPage(to: string, problem?: string): string {
  return page(
    'Sign in',
    `<main class="narrow">
<h1>Sign in</h1>
<form method="post" action="/sign-in">
<input type="hidden" name="to" value="${escapeHtml(to)}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus${problem ? ' aria-describedby="problem" aria-invalid="true"' : ''}>
${problem ? `<p id="problem" role="alert">${escapeHtml(problem)}</p>` : ''}
<button type="submit">Sign in</button>
</form>
<p>It is the AUTH_TOKEN of this server.</p>
</main>`,
  )
}
