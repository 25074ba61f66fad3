import { htmlReply, type Reply, statusReply } from './reply.js'
import { RPC_CODE } from './status.js'

interface ErrorRow {
  readonly reply: Reply
  /** The client can't know whether the update was applied, so here it is true for half of them. */
  readonly isAmbiguous: boolean
}

/** The errors that can be had by rate: by HTTP status, or by name where two share one. */
export const ERROR_KINDS = {
  499: {
    reply: statusReply({ code: RPC_CODE.cancelled, message: 'the request was cancelled' }),
    isAmbiguous: true,
  },
  500: {
    reply: statusReply({ code: RPC_CODE.internal, message: 'internal error' }),
    isAmbiguous: false,
  },
  502: {
    reply: htmlReply(502),
    isAmbiguous: true,
  },
  503: {
    reply: statusReply({ code: RPC_CODE.unavailable, message: 'the service is unavailable' }),
    isAmbiguous: false,
  },
  504: {
    reply: statusReply({ code: RPC_CODE.deadlineExceeded, message: 'deadline exceeded' }),
    isAmbiguous: true,
  },
  aborted: {
    reply: statusReply({ code: RPC_CODE.aborted, message: 'the run is being changed by another request' }),
    isAmbiguous: false,
  },
  rateLimited: {
    reply: statusReply({ code: RPC_CODE.resourceExhausted, message: 'rate limit exceeded, retry after 1 second' }),
    isAmbiguous: false,
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorKind = keyof typeof ERROR_KINDS
