import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LaneWatch, type News } from '../../../src/http/overview/lane-watch.js'
import type { Snapshot } from '../../../src/http/overview/snapshot.js'

const SNAPSHOT: Snapshot = {
  atMs: 0,
  pendingRuns: 0,
  oldestPendingAgeMs: 0,
  lane: { state: 'open', reason: null, detail: null, sinceMs: null, untilMs: null, rate: null },
  deadLetters: [],
  jobs: { flush: 0, intake: 0, intakeFailed: 0 },
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function watchWithLooks() {
  let looks = 0
  const watch = new LaneWatch(async () => {
    looks++
    const counters = { atMs: looks * 1_000, sequence: looks * 10, applied: 0, pendingRuns: 0 }
    return { snapshot: SNAPSHOT, counters }
  })
  return { watch, looks: () => looks }
}

test('nobody watches: nothing is looked at', async () => {
  const { looks } = watchWithLooks()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(looks()).toBe(0)
})

test('one look a second serves all who watch', async () => {
  const { watch, looks } = watchWithLooks()
  const heard: News[][] = [[], [], []]
  for (const news of heard) watch.watch((told) => news.push(told))
  await vi.advanceTimersByTimeAsync(5_000)
  expect(looks()).toBe(6)
  for (const news of heard) expect(news.filter(({ kind }) => kind === 'look').length).toBeGreaterThanOrEqual(5)
})

test('who comes later is told the last look at once', async () => {
  const { watch } = watchWithLooks()
  watch.watch(() => {})
  await vi.advanceTimersByTimeAsync(100)
  const news: News[] = []
  watch.watch((told) => news.push(told))
  expect(news).toMatchObject([{ kind: 'look' }])
})

test('the last one to go ends the looking, and what flowed before stays known', async () => {
  const { watch, looks } = watchWithLooks()
  const unwatch = watch.watch(() => {})
  await vi.advanceTimersByTimeAsync(3_000)
  unwatch()
  const before = looks()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looks()).toBe(before)
  expect(watch.flows).toHaveLength(before - 1)
})

test('a look that fails, or hangs, is told as trouble, and the next one comes', async () => {
  let looks = 0
  const watch = new LaneWatch(() => {
    looks++
    return looks === 1 ? Promise.reject(new Error('Redis is away')) : new Promise(() => {})
  })
  const news: News[] = []
  watch.watch((told) => news.push(told))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(news.length).toBeGreaterThan(1)
  expect(new Set(news.map(({ kind }) => kind))).toEqual(new Set(['trouble']))
})
