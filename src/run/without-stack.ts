/**
 * Judges without recording where in our code the errors were made: that is most of what a refused line costs, and whoever
 * sent millions of them reads a code, a path and a message.
 */
export function withoutStack<Result>(judge: () => Result): Result {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return judge()
  } finally {
    Error.stackTraceLimit = limit
  }
}
