const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * Aborted by the first SIGINT or SIGTERM, for a command that has something to end in good order. The next one calls
 * `hurry`, where it is given; one more ends the process at once.
 */
export function onStop(hurry?: () => void): AbortSignal {
  const controller = new AbortController()
  const stop = () => {
    const isFirst = !controller.signal.aborted
    if (!isFirst || !hurry) for (const signal of STOP_SIGNALS) process.off(signal, stop)
    if (isFirst) controller.abort()
    else hurry?.()
  }
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  return controller.signal
}

/** How long what is left of a command may go on by itself. */
const LEAVE_WITHIN_MS = 500

/**
 * To be called by a command with a worker, once that is closed: where Redis is gone, BullMQ goes on connecting to it, which
 * would keep the process for ever. Never what keeps it; by then its exit code is set, and its last words are said.
 */
export function leaveSoon(): void {
  setTimeout(() => process.exit(), LEAVE_WITHIN_MS).unref()
}
