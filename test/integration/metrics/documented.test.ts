import { readFileSync } from 'node:fs'
import { type MetricObject, Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FactEmitter } from '../../../src/events.js'
import { collectMetrics } from '../../../src/metrics/fact-metrics.js'
import { type LaneMetrics, sampleLane } from '../../../src/metrics/lane-metrics.js'
import { type Pipeline, startPipeline } from '../../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'

const PREFIX = 'sift_run_updater_'
const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

let redis: TestRedis
let pipeline: Pipeline
let laneMetrics: LaneMetrics
const ofProcess = new Registry()
const ofLane = new Registry()

beforeAll(async () => {
  redis = await startTestRedis()
  pipeline = await startPipeline(redis)
  collectMetrics(new FactEmitter(), ofProcess, 'lane')
  laneMetrics = sampleLane({ ...pipeline, redis: redis.client() }, ofLane)
})
afterAll(async () => {
  await laneMetrics.close()
  await pipeline.close()
  await redis.close()
})

/** prom-client's types leave out the names of the labels. */
type Exported = MetricObject & { readonly labelNames: readonly string[] }
const exported = (): Exported[] => [...ofProcess.getMetricsAsArray(), ...ofLane.getMetricsAsArray()] as Exported[]

/** The names that a query may use. */
function seriesNames(): Set<string> {
  return new Set(
    exported().flatMap(({ name, type }) =>
      String(type) === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => `${name}${suffix}`) : [name],
    ),
  )
}

function namesIn(query: string): string[] {
  return query.match(/\bsift_run_updater_\w+/g) ?? []
}

test('the table in the docs is what the code exports', () => {
  const documented = [
    ...read('docs/metrics.md').matchAll(/^\| `(\w+)` \| (\w+) \| ([\w, ]*)\| (process|lane) \| (.+) \|$/gm),
  ].map(([, name, type, labels = '', by, help]) => `${name} ${type} (${labels.trim()}) ${by}: ${help}`)
  const rows = (registry: Registry, by: string): string[] =>
    (registry.getMetricsAsArray() as Exported[]).map(
      ({ name, type, labelNames, help }) =>
        `${name.slice(PREFIX.length)} ${type} (${labelNames.filter((label) => label !== 'lane').join(', ')}) ${by}: ${help}`,
    )
  expect(documented.toSorted()).toEqual([...rows(ofProcess, 'process'), ...rows(ofLane, 'lane')].toSorted())
})

describe('each metric', () => {
  test('has the prefix and the label of its lane', () => {
    for (const { name, labelNames } of exported()) {
      expect(name).toMatch(/^sift_run_updater_[a-z_]+$/)
      expect(labelNames[0]).toBe('lane')
    }
  })

  test('is named as Prometheus wants it: a counter ends in _total, and nothing else does', () => {
    for (const { name, type } of exported()) expect(name.endsWith('_total'), name).toBe(String(type) === 'counter')
  })
})

test('the alert rules use only what is exported', () => {
  const used = namesIn(read('docker/prometheus/alerts.yml').replace(/^ *(description|summary):.*$/gm, ''))
  expect(used.length).toBeGreaterThan(4)
  expect(used.filter((name) => !seriesNames().has(name))).toEqual([])
})

test('the dashboard uses only what is exported, and shows all of it', () => {
  const used = new Set(namesIn(read('docker/grafana/dashboards/sift-run-updater.json')))
  expect([...used].filter((name) => !seriesNames().has(name))).toEqual([])
  const shown = (name: string): boolean => [name, `${name}_bucket`, `${name}_sum`].some((series) => used.has(series))
  expect(exported().flatMap(({ name }) => (shown(name) ? [] : [name]))).toEqual([])
})
