import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const DOCKER = fileURLToPath(new URL('../../../docker/', import.meta.url))
const hasPromtool = spawnSync('promtool', ['--version']).status === 0

function promtool(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: join(DOCKER, 'prometheus'), encoding: 'utf8' })
  return { status, output: `${stdout}${stderr}` }
}

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[]
}

// Debian's package `prometheus` brings it; where everything is to be checked, its lack is a failure.
describe.skipIf(!hasPromtool && process.env.CI === undefined)('promtool', () => {
  test('takes the configuration, which names the rules', async () => {
    expect(promtool('check', 'config', '--syntax-only', 'prometheus.yml')).toMatchObject({ status: 0 })
    expect(await readFile(join(DOCKER, 'prometheus/prometheus.yml'), 'utf8')).toContain('rule_files: [alerts.yml]')
  })

  test('takes the alert rules', () => {
    expect(promtool('check', 'rules', 'alerts.yml')).toMatchObject({ status: 0 })
  })

  test('finds that the alerts fire when they should, and not before', () => {
    const { status, output } = promtool('test', 'rules', 'alerts.test.yml')
    expect(output).toContain('SUCCESS')
    expect(status).toBe(0)
  })

  test('can read every query of the dashboard', async () => {
    const dashboard: Dashboard = JSON.parse(
      await readFile(join(DOCKER, 'grafana/dashboards/sift-run-updater.json'), 'utf8'),
    )
    const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
    // As rules, since promtool checks no single query; JSON is YAML, too.
    const rules = queries.map((query, index) => ({
      record: `query:${index}`,
      expr: query.replaceAll('$__rate_interval', '1m').replaceAll('$lane', '.*'),
    }))
    const folder = await mkdtemp(join(tmpdir(), 'sift-run-updater-test-'))
    try {
      const file = join(folder, 'queries.yml')
      await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
      const { status, output } = promtool('check', 'rules', file)
      expect(output).toContain(`SUCCESS: ${queries.length} rules found`)
      expect(status).toBe(0)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
