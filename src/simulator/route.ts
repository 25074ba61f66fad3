import { METHOD_NOT_ALLOWED, PATH_NOT_FOUND, type Reply, statusReply } from './reply.js'
import { invalidArgument } from './status.js'

/** What a request asks for. */
export type Route =
  | { readonly kind: 'update' }
  | { readonly kind: 'get'; readonly runId: string }
  | { readonly kind: 'list'; readonly query: URLSearchParams }
  | { readonly kind: 'none'; readonly reply: Reply }

const RUNS_PATH = '/api/v2/runs'
const ONE_RUN = /^\/api\/v2\/runs\/([^/]+)$/

/** `path`: with its query. */
export function routeOf(method: string, path: string): Route {
  const [pathname = '', query = ''] = path.split('?', 2)
  if (pathname === RUNS_PATH) {
    if (method === 'PATCH') return { kind: 'update' }
    if (method === 'GET') return { kind: 'list', query: new URLSearchParams(query) }
    return { kind: 'none', reply: METHOD_NOT_ALLOWED }
  }
  const encodedRunId = ONE_RUN.exec(pathname)?.[1]
  if (encodedRunId === undefined) return { kind: 'none', reply: PATH_NOT_FOUND }
  if (method !== 'GET') return { kind: 'none', reply: METHOD_NOT_ALLOWED }
  const runId = decoded(encodedRunId)
  if (runId !== undefined) return { kind: 'get', runId }
  return { kind: 'none', reply: statusReply(invalidArgument(`malformed path: ${pathname}`).status) }
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
