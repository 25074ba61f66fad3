import { setTimeout as delay } from 'node:timers/promises'

const POLL_INTERVAL_MS = 10

/**
 * Waits until the condition is true (or returns anything truthy) and returns what it returned. A condition that throws
 * is asked again. For what can only be looked at: where there is an event, wait for the event.
 * @param description completes the sentence "gave up waiting for ..."
 * @throws {Error} at the deadline, with what the condition last returned or threw
 */
export async function waitFor<T>(
  description: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 5_000 }: { timeoutMs?: number } = {},
): Promise<Truthy<T>> {
  const deadline = performance.now() + timeoutMs
  let last: { value: T } | { thrown: unknown }
  do {
    try {
      const value = await condition()
      if (isTruthy(value)) return value
      last = { value }
    } catch (thrown) {
      last = { thrown }
    }
    await delay(POLL_INTERVAL_MS)
  } while (performance.now() < deadline)
  const message = `gave up waiting for ${description} after ${timeoutMs} ms`
  if ('thrown' in last) throw new Error(`${message}; the last look threw ${last.thrown}`, { cause: last.thrown })
  throw new Error(`${message}; the last look saw ${JSON.stringify(last.value)}`)
}

type Truthy<T> = Exclude<T, false | 0 | 0n | '' | null | undefined>

function isTruthy<T>(value: T): value is Truthy<T> {
  return Boolean(value)
}
