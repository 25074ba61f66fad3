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
