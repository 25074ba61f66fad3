import { randomUUID } from 'node:crypto'
import type { RunUpdate } from '../../src/run/run-update.js'

/** An update of three fields, with a source: the payload of every row, ours and the peers'. */
export function updateOf(runId: string, number: number): RunUpdate {
  return {
    run: {
      runId,
      description: `pass ${number}, second stage`,
      stopTime: `2026-03-01T10:00:${String(number % 60).padStart(2, '0')}.123456Z`,
      isPinned: number % 2 === 0,
    },
    source: 'ground-station-7',
  }
}

export function newRunIds(count: number): string[] {
  return Array.from({ length: count }, () => randomUUID())
}

/** `count` updates, each of the next run in a shuffled round: every run comes up equally often. */
export function updatesOf(runIds: readonly string[], count: number): RunUpdate[] {
  const order = shuffled(runIds)
  return Array.from({ length: count }, (_, index) => updateOf(order[index % order.length] ?? '', index))
}

export function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}

/** Runs a task for each item, so many at a time. */
export async function eachAtOnce<Item>(
  items: readonly Item[],
  concurrency: number,
  task: (item: Item) => Promise<unknown>,
): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const item of left) await task(item)
    }),
  )
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}
