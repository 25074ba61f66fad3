import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** How long a person stays signed in. */
export const SESSION_MS = 12 * 3_600_000

/** A session whose signature was right, and whose time is not over. It may have been ended by signing out. */
export interface Session {
  readonly id: string
  readonly untilMs: number
}

/**
 * The one secret that programs and people show. A session is proved by the token, and tells nothing of it: a
 * name and the moment when it ends, signed. So every process of a deployment takes it, and a new token ends all sessions.
 */
export class AuthToken {
  readonly #token: string

  constructor(token: string) {
    this.#token = token
  }

  /** Whether an `Authorization` header holds the token. */
  isBearer(authorization: string | undefined): boolean {
    const [, given] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
    return given !== undefined && this.is(given)
  }

  is(given: string): boolean {
    return isEqual(given, this.#token)
  }

  openSession(nowMs: number): string {
    const session = `${nowMs + SESSION_MS}.${randomBytes(16).toString('base64url')}`
    return `${session}.${this.#sign(session)}`
  }

  readSession(cookie: string | undefined, nowMs: number): Session | undefined {
    const [, until = '', id = '', signature = ''] = /^(\d{1,15})\.([\w-]{22})\.([\w-]{43})$/.exec(cookie ?? '') ?? []
    if (!isEqual(signature, this.#sign(`${until}.${id}`)) || Number(until) <= nowMs) return undefined
    return { id, untilMs: Number(until) }
  }

  #sign(session: string): string {
    return createHmac('sha256', this.#token).update(`session ${session}`).digest('base64url')
  }

  toJSON(): string {
    return '[token]'
  }
}

/** Of digests, since a comparison in constant time wants equal lengths. */
function isEqual(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
