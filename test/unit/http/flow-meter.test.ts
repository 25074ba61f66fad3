import { describe, expect, test } from 'vitest'
import { FlowMeter } from '../../../src/http/overview/flow.js'

/** A lane whose counters move as those in Redis do. */
function laneWithMeter() {
  const counters = { atMs: 0, sequence: 0, applied: 0, appliedUpdates: 0, pendingRuns: 0 }
  const meter = new FlowMeter()
  meter.note({ ...counters })
  return {
    meter,
    counters,
    merge(updates: number, newRuns: number) {
      counters.sequence += updates + newRuns
      counters.pendingRuns += newRuns
    },
    send(patches: number, updates = patches) {
      counters.applied += patches
      counters.appliedUpdates += updates
    },
    close(runs: number) {
      counters.pendingRuns -= runs
    },
    look() {
      counters.atMs += 1_000
      return meter.note({ ...counters })
    },
  }
}

describe('a flow meter', () => {
  test('tells nothing at the first look', () => {
    expect(new FlowMeter().note({ atMs: 1, sequence: 5, applied: 5, appliedUpdates: 5, pendingRuns: 1 })).toBeNull()
  })

  test('tells updates, not the generations that they opened', () => {
    const lane = laneWithMeter()
    lane.merge(50, 5)
    expect(lane.look()).toMatchObject({ seconds: 1, updates: 50, patches: 0 })
    lane.send(5)
    lane.close(5)
    expect(lane.look()).toMatchObject({ updates: 0, patches: 5 })
  })

  test('is right over two looks where a PATCH was applied in one and its run left the index in the next', () => {
    const lane = laneWithMeter()
    lane.merge(20, 2)
    lane.look()
    lane.send(2)
    const first = lane.look()
    lane.close(2)
    lane.merge(7, 1)
    const second = lane.look()
    expect((first?.updates ?? 0) + (second?.updates ?? 0)).toBe(7)
  })

  test('counts updates of a run whose next generation is opened at once', () => {
    const lane = laneWithMeter()
    lane.merge(10, 1)
    lane.look()
    lane.send(1)
    lane.merge(3, 0)
    // A release that opens the next generation numbers it, and the run stays in the index.
    lane.counters.sequence += 1
    expect(lane.look()).toMatchObject({ updates: 3, patches: 1 })
  })

  test.each([
    ['Redis was emptied', { sequence: 0, applied: 0 }],
    ['its clock was set back', { atMs: -10_000 }],
  ])('begins anew where %s', (_why, change) => {
    const lane = laneWithMeter()
    lane.merge(10, 1)
    lane.send(1)
    lane.look()
    Object.assign(lane.counters, change)
    expect(lane.look()).toBeNull()
    lane.merge(4, 0)
    expect(lane.look()).toMatchObject({ updates: 4 })
  })

  test('tells the updates that ended with the PATCHes, as they were counted with them', () => {
    const lane = laneWithMeter()
    lane.merge(12, 3)
    lane.look()
    lane.send(3, 12)
    lane.close(3)
    expect(lane.look()).toMatchObject({ updates: 0, patches: 3, merged: 12 })
  })

  test('tells no rate of a moment: what flowed in it is told with the next look', () => {
    const lane = laneWithMeter()
    lane.merge(4, 0)
    lane.counters.atMs += 10
    expect(lane.meter.note({ ...lane.counters })).toBeNull()
    expect(lane.look()).toMatchObject({ seconds: 1.01, updates: 4 })
  })
})
