/**
 * Who may come in.
 *
 *  - With a token, every route but health and the sign-in page wants it: `Authorization: Bearer` from programs, a session
 *    cookie from people. Wrong ones are counted by address; a session may have been ended by signing out, which Redis
 *    knows. While Redis is away, a session may still look, and change nothing.
 *  - Without one, the server listens on loopback only; there, a page of any site that is open in a browser of the machine
 *    could reach it. So requests must name a loopback host (another name may have been made to point here).
 *  - What changes something is refused where a browser says that another site brought it about.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { before } from '../redis/deadline.js'
import type { EndedSessions } from './ended-sessions.js'
import type { CountGuess } from './guesses.js'
import { HttpError } from './http-error.js'
import { SESSION_COOKIE } from './sign-in.js'
import type { AuthToken, Session } from './token.js'

/** Routes that are open to everybody set it in their `config`. */
declare module 'fastify' {
  interface FastifyContextConfig {
    isOpen?: boolean
  }
}

export interface Lock {
  readonly token: AuthToken
  readonly endedSessions: EndedSessions
  readonly countGuess: CountGuess
}

/** A page must not wait longer for Redis, which it will tell as being away. */
const LOOK_TIMEOUT_MS = 500

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

export function guard(server: FastifyInstance, lock: Lock | undefined): void {
  server.addHook('onRequest', async (request, reply) => {
    refuseOtherSites(request)
    if (request.routeOptions.config.isOpen) return
    if (!lock) {
      if (LOOPBACK_HOST.test(request.headers.host ?? '')) return
      throw new HttpError(403, 'without AUTH_TOKEN only this machine may come in, by the name localhost or 127.0.0.1')
    }
    const { token, endedSessions, countGuess } = lock
    const { authorization } = request.headers
    if (token.isBearer(authorization)) return
    const session = token.readSession(request.cookies[SESSION_COOKIE], Date.now())
    if (session && !(await isEnded(session, endedSessions, request.method))) return
    if (authorization !== undefined) await countGuess(request, reply)
    if (isPerson(request)) return reply.redirect(`/sign-in?to=${encodeURIComponent(request.url)}`, 303)
    reply.header('www-authenticate', 'Bearer')
    throw new HttpError(401, 'the token is missing or wrong; send it as Authorization: Bearer')
  })
}

async function isEnded(session: Session, endedSessions: EndedSessions, method: string): Promise<boolean> {
  if (!SAFE_METHODS.has(method)) return await endedSessions.has(session)
  return await before(performance.now() + LOOK_TIMEOUT_MS, () => endedSessions.has(session)).catch(() => false)
}

/** SameSite=Strict keeps the cookie away from other sites; this keeps their requests away, with a cookie or without. */
function refuseOtherSites({ method, headers }: FastifyRequest): void {
  if (SAFE_METHODS.has(method)) return
  const site = headers['sec-fetch-site']
  const isOther =
    (site !== undefined && site !== 'same-origin' && site !== 'none') ||
    (headers.origin !== undefined && hostOf(headers.origin) !== headers.host)
  if (isOther) throw new HttpError(403, 'a page of another site may not change anything here')
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

function isPerson({ method, headers }: FastifyRequest): boolean {
  return method === 'GET' && headers.accept?.includes('text/html') === true
}
