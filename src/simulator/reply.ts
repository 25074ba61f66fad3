import { httpStatusOf, RPC_CODE, type Status } from './status.js'

/** A whole HTTP answer, before it is known whether it will get through. */
export interface Reply {
  readonly status: number
  readonly contentType: 'application/json' | 'text/html'
  readonly body: string
}

export function jsonReply(value: unknown): Reply {
  return { status: 200, contentType: 'application/json', body: JSON.stringify(value) }
}

export function statusReply({ code, message, details = [] }: Status): Reply {
  return {
    status: httpStatusOf(code),
    contentType: 'application/json',
    body: JSON.stringify({ code, message, details }),
  }
}

/** What the gateway says to a method that a path does not have: 501, not 405. */
export const METHOD_NOT_ALLOWED = statusReply({ code: RPC_CODE.unimplemented, message: 'Method Not Allowed' })

export const PATH_NOT_FOUND = statusReply({ code: RPC_CODE.notFound, message: 'Not Found' })

export const EMPTY_UNAUTHORIZED: Reply = { status: 401, contentType: 'application/json', body: '' }

/** A page of a proxy or firewall that stands before the API. */
export function htmlReply(status: number): Reply {
  const body = `<!doctype html>\n<html><head><title>${status}</title></head><body><h1>${status}</h1></body></html>\n`
  return { status, contentType: 'text/html', body }
}
