const NETWORK_CODES = /^(ECONN\w+|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_\w+)$/

/** Whether an error tells of Redis, or of the way to it, and not of a bug. */
export function isRedisTrouble(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  if (['ReplyError', 'MaxRetriesPerRequestError', 'ConnectionClosedError'].includes(error.name)) return true
  // ioredis and BullMQ have no classes of their own for these. A file has other codes, such as ENOENT and ENOSPC.
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return (
    NETWORK_CODES.test(code) || /^(Connection is closed|Command timed out|Stream isn't writeable)/.test(error.message)
  )
}

/** Whether the server itself has told it: then it has done with the command. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Whether the server is a replica and took nothing. Before Redis 7, the error of a script has this in its middle. */
export function isReadOnly(error: unknown): error is Error {
  return error instanceof Error && /(^|-)READONLY /.test(error.message)
}

/** The server is there, and lets nobody in with this user and password, or without any. */
export interface LockedOut extends Error {
  readonly name: 'ReplyError'
}

export function isLockedOut(error: unknown): error is LockedOut {
  return isAnswer(error) && error instanceof Error && /^(NOAUTH|WRONGPASS) /.test(error.message)
}

/** What such a server is told of, and the way out. */
export function lockedOut(error: LockedOut): string {
  // NOAUTH comes with a lecture on the protocol.
  const why = error.message.startsWith('NOAUTH') ? 'NOAUTH: it wants a password' : error.message.replace(/\.$/, '')
  return `runs, but lets nobody in this way (${why}). Correct the user and password in REDIS_URL, --redis-url or the options of the connection, as in redis://user:password@host:6379`
}

/** Whether the server is at its `maxmemory` and took nothing: a script is refused at its first write, and never later. */
export function isFull(error: unknown): error is Error {
  return error instanceof Error && /(^|-)OOM /.test(error.message)
}

/** Whether the user lacks a right. Redis 7.0 has words of its own for what a script tried. */
export function isNoPermission(error: unknown): error is Error {
  return error instanceof Error && /(^|-)NOPERM |^ERR The user executing the script /.test(error.message)
}

/** Whether a script was cut short, and not refused as a whole. */
export function isOfScript({ message }: Error): boolean {
  return /executing (the|a) script|ACL failure in script|user_script/i.test(message)
}
