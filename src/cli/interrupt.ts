const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * Aborted by the first SIGINT or SIGTERM, for a command that has something to end in good order. The second one ends
 * the process at once.
 */
export function onStop(): AbortSignal {
  const controller = new AbortController()
  const stop = () => {
    for (const signal of STOP_SIGNALS) process.off(signal, stop)
    controller.abort()
  }
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  return controller.signal
}
