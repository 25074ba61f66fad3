import { type ChildProcess, execFile, spawn } from 'node:child_process'
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
let server: ChildProcess
let serverPort: string
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
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${serverPort}`)
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
    const tested = blocksOf('sh').filter((text) => !/ (simulator|serve) |curl/.test(text))
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

// Apart, since its worker would take the jobs of the other examples.
describe('the server of the README', () => {
  beforeAll(async () => {
    const [serve = ''] = blocksOf('sh').filter((text) => text.includes(' serve '))
    const [command = '', ...args] = withTestServers(serve).trim().split(' ')
    const env = { ...process.env, REDIS_URL: redis.url, SIFT_REST_URL: simulator.url, SIFT_API_KEY: 'any-key' }
    server = spawn(command, [...args, '--port', '0'], { stdio: ['ignore', 'pipe', 'ignore'], env })
    if (!server.stdout) throw new Error('the server has no output')
    const [ready] = await once(server.stdout, 'data')
    serverPort = /http:\/\/127\.0\.0\.1:(\d+)/.exec(String(ready))?.[1] ?? ''
  })
  afterAll(async () => {
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    expect((await ended)[0]).toBe(0)
  })

  test('its curl blocks are taken in, and the drop-in answers as Sift does', async () => {
    const blocks = blocksOf('sh').filter((text) => text.includes('curl') && !text.includes('r8'))
    const { stdout } = await run('bash', ['-c', blocks.map(withTestServers).join('\necho\n')])
    expect(stdout).toMatch(/"status":"accepted"/)
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      run: { runId: 'r4', description: 'a hotfire' },
    })
    expect(simulator.runs.get('r4')).toMatchObject({ name: 'b', tags: ['hotfire'], description: 'a hotfire' })
  })

  test('its refused field becomes a dead letter, and the others are applied', async () => {
    const [refused = ''] = blocksOf('sh').filter((text) => text.includes('r8'))
    await run('bash', ['-c', withTestServers(refused)])
    const masks = async () => {
      const answer = await fetch(`http://127.0.0.1:${serverPort}/v1/dead-letters?run=r8`)
      const { deadLetters } = (await answer.json()) as { deadLetters: { updateMask: string }[] }
      return deadLetters.map(({ updateMask }) => updateMask)
    }
    await expect.poll(masks, { timeout: 10_000 }).toEqual(['stopTime'])
    await expect.poll(() => simulator.runs.get('r8')).toMatchObject({ name: 'd', startTime: '2026-03-01T11:00:00Z' })
  })

  test('its Python over HTTP runs, and its Python for BullMQ compiles', async () => {
    const [http = '', bullmq = ''] = blocksOf('python')
    await writeFile(join(folder, 'over_http.py'), withTestServers(http))
    const { stdout } = await run('python3', [join(folder, 'over_http.py')])
    expect(stdout.trim()).toBe('202')
    // Its client is in no registry of the tests; that the wire format is right is shown with BullMQ's own client.
    await writeFile(join(folder, 'intake.py'), bullmq)
    await run('python3', ['-m', 'py_compile', join(folder, 'intake.py')])
  })
})
