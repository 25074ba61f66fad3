/** The google.rpc codes by name: what the API's errors carry in `code`, which is not their HTTP status. */
export const RPC_CODE = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const

export type RpcCode = (typeof RPC_CODE)[keyof typeof RPC_CODE]

const HTTP_STATUS: Readonly<Record<RpcCode, number>> = {
  1: 499,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  11: 400,
  12: 501,
  13: 500,
  14: 503,
  15: 500,
  16: 401,
}

/** A google.rpc.Status: the body of every error of the API. */
export interface Status {
  readonly code: RpcCode
  readonly message: string
  /** None by default. */
  readonly details?: readonly unknown[]
}

/** Ends the handling of a request: its answer is `status`. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  readonly status: Status

  constructor(status: Status) {
    super(status.message)
    this.status = status
  }
}

/** The commonest refusal: something in the request is wrong. */
export function invalidArgument(message: string): StatusError {
  return new StatusError({ code: RPC_CODE.invalidArgument, message })
}

/** The HTTP status that grpc-gateway gives to a code. */
export function httpStatusOf(code: RpcCode): number {
  return HTTP_STATUS[code]
}
