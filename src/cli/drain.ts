/** `worker --drain`: what is told of a drain, and its exit code. */
import type { Config } from '../config.js'
import { RedisUnavailableError } from '../errors.js'
import { describeRedis } from '../redis/redis-source.js'
import { type DrainProgress, drainLane } from '../worker/drain.js'
import type { RunUpdateWorker } from '../worker/worker.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { withLane } from './lane-session.js'
import { plural, printLine, tell } from './output.js'

/** What a drain waits for is told again after so long, if it goes on. */
const TELL_EVERY_MS = 10_000

const READY_WITHIN_MS = 8_000

/** @throws RedisUnavailableError where Redis is away at the start, or goes away. */
export async function drain(
  config: Config,
  worker: RunUpdateWorker,
  stop: AbortSignal,
  timeoutSeconds: number | undefined,
): Promise<ExitCode> {
  return await withLane(config, async (session) => {
    await readyInTime(config, worker)
    const timeout = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timeoutSeconds * 1_000)
    const signal = timeout ? AbortSignal.any([stop, timeout]) : stop
    let left = 0
    const progress = new ProgressTeller()
    const drained = await drainLane(session, {
      signal,
      onProgress: (now) => {
        left = now.pendingRuns
        progress.tell(now)
      },
    })
    switch (drained) {
      case 'drained':
        printLine('drained: nothing is pending')
        return EXIT.done
      case 'paused':
        tell('error: the queue is paused in BullMQ, so nothing is sent. Resume it, in a dashboard for one.')
        return EXIT.refused
      case 'aborted':
        if (stop.aborted) return EXIT.done
        tell(`error: not drained within ${timeoutSeconds} s; ${plural(left, 'run')} still pending`)
        return EXIT.refused
    }
  })
}

async function readyInTime(config: Config, worker: RunUpdateWorker): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new RedisUnavailableError(`Redis at ${describeRedis(config.REDIS_URL)} did not let the worker start in time`),
      )
    }, READY_WITHIN_MS)
  })
  try {
    await Promise.race([worker.ready(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Tells what a drain waits for when that changes in kind, and from time to time. */
class ProgressTeller {
  #toldKind = ''
  #toldAt = performance.now()

  tell(progress: DrainProgress): void {
    const { lane, backingOff, active } = progress
    const kind = lane.state === 'held' ? `held ${lane.reason}` : backingOff > 0 && active === 0 ? 'backoff' : 'sending'
    const isNews = kind !== this.#toldKind && !(this.#toldKind === '' && kind === 'sending')
    if (!isNews && performance.now() - this.#toldAt < TELL_EVERY_MS) return
    this.#toldKind = kind
    this.#toldAt = performance.now()
    tell(`draining: ${describe(progress)}`)
  }
}

function describe({ pendingRuns, active, backingOff, unrecordedLetters, lane }: DrainProgress): string {
  const parts = [`${plural(pendingRuns, 'run')} pending`]
  if (active > 0) parts.push(`${active} being sent`)
  if (backingOff > 0) parts.push(`${backingOff} waiting after a failure`)
  if (unrecordedLetters > 0) parts.push(`${plural(unrecordedLetters, 'dead letter')} being recorded`)
  if (lane.state === 'held') {
    const end = lane.untilMs === null ? 'until an operator opens it' : `until ${new Date(lane.untilMs).toISOString()}`
    parts.push(`the lane is held (${lane.reason}) ${end}`)
  }
  return parts.join(', ')
}
