import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** How long a person stays signed in. */
export const SESSION_MS = 12 * 3_600_000

/**
 * The one secret that programs and people show. A session is proved by the token, and tells nothing of it: the moment
 * when it ends, signed. So every process of a deployment takes it, and a new token ends all sessions.
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
    const until = String(nowMs + SESSION_MS)
    return `${until}.${this.#sign(until)}`
  }

  isSession(session: string | undefined, nowMs: number): boolean {
    const [, until = '', signature = ''] = /^(\d{1,15})\.([\w-]{43})$/.exec(session ?? '') ?? []
    return isEqual(signature, this.#sign(until)) && Number(until) > nowMs
  }

  #sign(until: string): string {
    return createHmac('sha256', this.#token).update(`session until ${until}`).digest('base64url')
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
