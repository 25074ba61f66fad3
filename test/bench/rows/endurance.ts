/** A worker under full load for long: whether its memory stays what it was after the first minute. */
import { setTimeout } from 'node:timers/promises'
import { startChild } from '../child.js'
import { median } from '../compare.js'
import type { FeederOrders, FeederTold } from '../feeder-process.js'
import type { Row } from '../row.js'
import { NO_LIMIT, startApi } from '../stage.js'
import type { WorkerOrders, WorkerTold } from '../worker-process.js'
import { API_KEY } from './sending.js'

const WORKER = new URL('../worker-process.js', import.meta.url)
const FEEDER = new URL('../feeder-process.js', import.meta.url)
const LOOK_MS = 1_000
const LOOKS_A_MINUTE = 60
/** Garbage comes and goes: memory at a moment is the median of so many looks. */
const MOMENT = 20

const MIB = 1_048_576
const inMib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`

/** Prints a line a minute. */
export function endurance(minutes: number): Row {
  return {
    key: 'worker-memory',
    measured: `resident memory of a worker after ${minutes} minutes of full load (simulator at 5 ms, concurrency 50)`,
    against: 'after the first minute',
    note: `Worker, producer, simulator and Redis are processes of their own. 50,000 runs come up again and again, and at least some are pending all the time. Each figure is the median of ${MOMENT} looks, one a second.`,
    target: 1.1,
    goal: 'at most',
    unit: 'x',
    isQuick: false,
    async measure({ ours, oursUrl }) {
      await ours.flushdb()
      const api = await startApi(5)
      const feeder = await startChild<FeederOrders, FeederTold>(FEEDER, {
        redis: oursUrl,
        runs: 50_000,
        pending: 5_000,
      })
      const worker = await startChild<WorkerOrders, WorkerTold>(WORKER, {
        redis: oursUrl,
        sift: { baseUrl: api.url, apiKey: API_KEY },
        concurrency: 50,
        rateLimit: NO_LIMIT,
        coalesceWindowMs: 0,
      })
      try {
        const looks: WorkerTold[] = []
        const startedAt = performance.now()
        while (looks.length < minutes * LOOKS_A_MINUTE) {
          await setTimeout(startedAt + (looks.length + 1) * LOOK_MS - performance.now())
          looks.push(await worker.ask())
          if (looks.length % LOOKS_A_MINUTE === 0) {
            const fewest = await feeder.ask()
            console.error(lineOf(looks, fewest))
            if (fewest === 0) throw new Error('the worker ran out of work: the load was not full')
          }
        }
        const early = memoryOf(looks.slice(LOOKS_A_MINUTE, LOOKS_A_MINUTE + MOMENT))
        const late = memoryOf(looks.slice(-MOMENT))
        return { figure: late / early, ours: inMib(late), peer: inMib(early) }
      } finally {
        await Promise.all([feeder.close(), worker.close()])
        api.close()
      }
    },
  }
}

function memoryOf(looks: readonly WorkerTold[]): number {
  return median(looks.map(({ rssBytes }) => rssBytes))
}

/** What the last minute was like. */
function lineOf(looks: readonly WorkerTold[], fewest: number): string {
  const minute = looks.slice(-LOOKS_A_MINUTE)
  const [first, last] = [looks.at(-LOOKS_A_MINUTE - 1), looks.at(-1)]
  const sent = (last?.applied ?? 0) - (first?.applied ?? 0)
  const heap = Math.min(...minute.map(({ heapBytes }) => heapBytes))
  return [
    `minute ${looks.length / LOOKS_A_MINUTE}`,
    `${inMib(memoryOf(minute))} resident`,
    `at least ${inMib(heap)} of heap`,
    `${Math.round(sent / 60).toLocaleString('en-US')} PATCHes/s`,
    `never fewer than ${fewest.toLocaleString('en-US')} pending`,
  ].join(', ')
}
