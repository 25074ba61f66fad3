import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Simulator, startSimulator } from '../../src/simulator/simulator.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

let redis: TestRedis
let simulator: Simulator
let folder: string
let scripts: Record<string, string>
let readme: string

beforeAll(async () => {
  redis = await startTestRedis()
  simulator = await startSimulator({ createRuns: true })
  folder = await mkdtemp(join(tmpdir(), 'sift-run-updater-readme-'))
  scripts = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')).scripts
  readme = await readFile(join(ROOT, 'README.md'), 'utf8')
})
afterAll(async () => {
  await simulator.close()
  await redis.close()
  await rm(folder, { recursive: true })
})

/** Only ports and folders are the test's own; the commands are the README's. */
function withTestServers(text: string): string {
  return text
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${simulator.port}`)
    .replaceAll('redis://127.0.0.1:6379', redis.url)
    .replaceAll('npx sift-run-updater', `node ${join(ROOT, 'dist/cli/main.js')}`)
}

function blocksOf(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, block = '']) => block,
  )
}

describe('the README', () => {
  test('its npm commands are scripts of the package, and its demo and tests run elsewhere', () => {
    const named = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name = '']) => name)
    for (const name of named.filter((name) => name !== 'ci')) expect(scripts).toHaveProperty(name)
  })

  test('its simulator says where it is, and ends when asked', async () => {
    const [block = ''] = blocksOf('sh').filter((text) => text.includes('simulator'))
    const [command = '', ...args] = withTestServers(block).trim().split(' ')
    const child = spawn(command, [...args, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(child.stdout, 'data')
    expect(String(line)).toMatch(/^simulator ready: http:\/\/127\.0\.0\.1:\d+/)
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
  })

  test('its shell blocks do what it says, in their order', async () => {
    const tested = blocksOf('sh').filter((text) => !text.includes('simulator'))
    const blocks = tested.filter((text) => text.includes('npx'))
    expect(blocks).not.toHaveLength(0)
    // The rest are npm's own, which the test above looks at: a block that nobody runs would go stale.
    for (const block of tested.filter((text) => !blocks.includes(text))) expect(block).toMatch(/^npm /)
    const script = `set -e\n${blocks.map(withTestServers).join('\n')}`
    const { stdout } = await run('bash', ['-c', script], { cwd: folder, env: { ...process.env, REDIS_URL: redis.url } })
    expect(stdout).toMatch(/1 accepted[\s\S]*drained: nothing is pending[\s\S]*Last sent: name, 200/)
    expect(simulator.runs.get('r1')).toMatchObject({ name: 'a' })
    expect(await readFile(join(folder, 'refused.ndjson'), 'utf8')).toBe('')
  })

  test('npx finds the command of a checkout', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    const { stdout } = await run('npx', ['--offline', 'sift-run-updater', '--version'], { cwd: ROOT })
    expect(stdout.trim()).toBe(version)
  })

  test('its library block compiles and runs', async () => {
    // Inside the package, so that its own name leads to what was built.
    const place = join(ROOT, 'dist/.readme')
    await mkdir(place, { recursive: true })
    try {
      const [block = ''] = blocksOf('ts')
      await writeFile(join(place, 'example.ts'), withTestServers(block))
      const compilerOptions = {
        extends: '../../tsconfig.json',
        compilerOptions: { noEmit: false },
        include: ['example.ts'],
      }
      await writeFile(join(place, 'tsconfig.json'), JSON.stringify(compilerOptions))
      await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', place])
      const env = { ...process.env, SIFT_REST_URL: simulator.url, SIFT_API_KEY: 'any-key' }
      const { stdout } = await run('node', [join(place, 'example.js')], { env })
      expect(stdout).toMatch(/\[ 'accepted', 'accepted' \]\n\d updates of r[23] became one PATCH/)
    } finally {
      await rm(place, { recursive: true })
    }
  })

  test('its container commands name services of docker-compose.yml', async () => {
    const compose = await readFile(join(ROOT, 'docker-compose.yml'), 'utf8')
    const services = [...readme.matchAll(/docker compose up -d (\w+)/g)].map(([, service]) => service)
    expect(services).not.toHaveLength(0)
    for (const service of services) expect(compose).toMatch(new RegExp(`^  ${service}:`, 'm'))
  })
})
