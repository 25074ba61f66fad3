import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Entry } from '../../../src/pending/entry.js'
import { expectNoLeaks } from '../../support/leaks.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { START_US, TestLane } from './test-lane.js'

expectNoLeaks()

const RUN = 'run-1'

let server: TestRedis
let redis: Redis
let lane: TestLane

beforeAll(async () => {
  server = await startTestRedis()
  redis = server.client()
})

beforeEach(() => {
  lane = new TestLane(redis)
})

afterAll(() => server.close())

/** Writes, claims, sets aside and releases: what is left is a dead letter's writes. */
async function letterOf(
  ...[writes, update]: Parameters<TestLane['write']> extends [string, ...infer Rest] ? Rest : never
) {
  const { generation } = await lane.write(RUN, writes, update)
  const holder = { runId: RUN, generation, owner: 'w1' }
  const { entries, updates } = await lane.claim(holder)
  await lane.pending.setAside(RUN, entries, { reason: 'invalid_argument' })
  await lane.pending.release(holder, updates)
  return entries
}

async function sendAll(): Promise<readonly Entry[]> {
  const { generation = '' } = await lane.pendingHash(RUN)
  const holder = { runId: RUN, generation, owner: 'w1' }
  const { entries, updates } = await lane.claim(holder)
  await lane.settle(RUN, entries)
  await lane.pending.release(holder, updates)
  return entries
}

test('a redriven write keeps its order and source, is one redrive older, and opens a generation', async () => {
  const observedAtUs = BigInt(START_US - 7)
  const [before] = await letterOf({ name: 'bad' }, { observedAtUs, tie: 5, source: 'a b' })
  lane.advanceMs(60_000)
  const redriven = await lane.pending.redrive(RUN, before ? [before] : [])
  const { generation = '' } = await lane.pendingHash(RUN)
  expect(redriven).toEqual({
    generation,
    addJob: true,
    acceptedFields: ['name'],
    staleFields: [],
    conflictFields: [],
    heldClientKey: null,
  })
  const [after] = (await lane.claim({ runId: RUN, generation, owner: 'w1' })).entries
  expect(after).toMatchObject({
    observedUs: Number(observedAtUs),
    tie: 5,
    sequence: before?.sequence,
    source: 'a b',
    redrives: 1,
    arrivedUs: lane.nowUs,
  })
})

test('an observation between a redriven write and what else is pending is stale for the redriven field alone', async () => {
  const letter = await letterOf({ name: 'redriven' }, { observedAtUs: BigInt(START_US - 1) })
  await lane.write(RUN, { description: 'early' }, { observedAtUs: BigInt(START_US - 9) })
  await lane.pending.redrive(RUN, letter)
  const between = { name: 'between', description: 'between' }
  const merged = await lane.write(RUN, between, { observedAtUs: BigInt(START_US - 5) })
  expect(merged.staleFields).toEqual(['name'])
  expect(await lane.pendingWrites(RUN)).toEqual({ name: 'redriven', description: 'between' })
})

test('each field is judged alone: one may be stale, one in conflict, one accepted', async () => {
  const letter = await letterOf({ name: 'bad', description: 'bad', clientKey: 'k1' })
  lane.advanceMs(1)
  await lane.write(RUN, { name: 'newer' })
  await sendAll()
  await lane.write(RUN, { clientKey: 'k2' })
  expect(await lane.pending.redrive(RUN, letter)).toMatchObject({
    addJob: false,
    acceptedFields: ['description'],
    staleFields: ['name'],
    conflictFields: ['clientKey'],
    heldClientKey: 'k2',
  })
})

test('a write that was applied meanwhile is stale, and a client key that was is taken as it is', async () => {
  const letter = await letterOf({ name: 'n', clientKey: 'k1' })
  await lane.pending.redrive(RUN, letter)
  await sendAll()
  expect(await lane.pending.redrive(RUN, letter)).toMatchObject({
    generation: null,
    addJob: false,
    acceptedFields: ['clientKey'],
    staleFields: ['name'],
  })
})

test('a redrive that is repeated changes nothing: a crash came before its letter was removed', async () => {
  const letter = await letterOf({ name: 'bad' })
  await lane.pending.redrive(RUN, letter)
  const before = await lane.pendingHash(RUN)
  lane.advanceMs(1_000)
  expect(await lane.pending.redrive(RUN, letter)).toMatchObject({ addJob: false, acceptedFields: ['name'] })
  expect(await lane.pendingHash(RUN)).toEqual(before)
})

test('a write that was redriven, refused and redriven again stays, however late it is set aside', async () => {
  await lane.pending.redrive(RUN, await letterOf({ name: 'bad' }))
  const { generation = '' } = await lane.pendingHash(RUN)
  const holder = { runId: RUN, generation, owner: 'w1' }
  const { entries } = await lane.claim(holder)
  await lane.pending.redrive(RUN, entries)
  await lane.pending.setAside(RUN, entries, { reason: 'invalid_argument' })
  expect((await lane.claim(holder)).entries).toMatchObject([{ redrives: 2 }])
})

test('a value that a person has mended takes the place of the one that is pending still', async () => {
  const { generation } = await lane.write(RUN, { name: 'bad' })
  const { entries } = await lane.claim({ runId: RUN, generation, owner: 'w1' })
  await lane.pending.redrive(
    RUN,
    entries.map((entry) => ({ ...entry, json: '"good"' })),
  )
  expect(await lane.pendingWrites(RUN)).toEqual({ name: 'good' })
})
