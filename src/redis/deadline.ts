/** At a moment of the monotonic clock. */
export function until(moment: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, moment - performance.now())))
}

/** Runs a task, and gives up on it at a moment of the monotonic clock. What it still does then must do no harm. */
export async function before<Result>(deadline: number, task: () => Promise<Result>): Promise<Result> {
  // Before the timer: where it throws at once, there is nothing to give up on.
  const running = task()
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('time-out')), Math.max(0, deadline - performance.now()))
  })
  // Once the time is over nobody listens to it any more.
  running.catch(() => {})
  try {
    return await Promise.race([running, timeout])
  } finally {
    clearTimeout(timer)
  }
}
