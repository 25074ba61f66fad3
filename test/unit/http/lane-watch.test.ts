import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LaneWatch, type News } from '../../../src/http/overview/lane-watch.js'
import type { Snapshot } from '../../../src/http/overview/snapshot.js'

const SNAPSHOT: Snapshot = {
  atMs: 0,
  pendingRuns: 0,
  oldestPendingAgeMs: 0,
  lane: { state: 'open', reason: null, detail: null, sinceMs: null, untilMs: null, rate: null },
  isPaused: false,
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
  const watch = new LaneWatch({
    look: async () => {
      looks++
      const counters = { atMs: Date.now(), sequence: looks * 10, applied: 0, appliedUpdates: 0, pendingRuns: 0 }
      return { snapshot: SNAPSHOT, counters }
    },
  })
  return { watch, looks: () => looks }
}

test('nobody watches: a look every five seconds, so that whoever comes finds what has flowed', async () => {
  const { watch, looks } = watchWithLooks()
  watch.start()
  await vi.advanceTimersByTimeAsync(20_000)
  expect(looks()).toBe(5)
  expect(watch.flows).toMatchObject(Array.from({ length: 4 }, () => ({ seconds: 5, updates: 10 })))
})

test('one that is closed looks no more', async () => {
  const { watch, looks } = watchWithLooks()
  watch.start()
  await vi.advanceTimersByTimeAsync(100)
  watch.close()
  await vi.advanceTimersByTimeAsync(20_000)
  expect(looks()).toBe(1)
})

test('five minutes are kept, and no more', async () => {
  const { watch } = watchWithLooks()
  watch.start()
  await vi.advanceTimersByTimeAsync(900_000)
  expect(watch.flows).toHaveLength(60)
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

test('when the last one goes, looks become few, and what flowed stays known', async () => {
  const { watch, looks } = watchWithLooks()
  const unwatch = watch.watch(() => {})
  await vi.advanceTimersByTimeAsync(3_000)
  unwatch()
  const before = looks()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looks() - before).toBeLessThanOrEqual(13)
  expect(watch.flows).toHaveLength(looks() - 1)
})

test('a look that fails, or hangs, is told as trouble, and the next one comes', async () => {
  let looks = 0
  const troubles: string[] = []
  const watch = new LaneWatch({
    look: () => {
      looks++
      return looks === 1 ? Promise.reject(new Error('Redis is away')) : new Promise(() => {})
    },
    onTrouble: ({ message }) => troubles.push(message),
  })
  const news: News[] = []
  watch.watch((told) => news.push(told))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(news.length).toBeGreaterThan(1)
  expect(new Set(news.map(({ kind }) => kind))).toEqual(new Set(['trouble']))
  expect(troubles).toEqual(['Redis is away'])
})
