import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DeadLetter, Refusal } from '../../src/dead-letters/dead-letter.js'
import { type Pipeline, startPipeline } from '../support/pipeline.js'
import { startTestRedis, type TestRedis } from '../support/redis.js'
import { type Ended, HAS_TERMINAL, onTerminal, runCommand, runInShell } from './cli/command.js'

let redis: TestRedis
let pipeline: Pipeline

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  pipeline = await startPipeline(redis)
})
afterEach(() => pipeline.close())

const env = () => ({ REDIS_URL: redis.url, QUEUE_NAME: pipeline.lane.queueName })

const run = (command: string, ...args: string[]): Promise<Ended> =>
  runCommand(['dead-letters', command, ...args], { env: env() })

const lines = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

const OBSERVED_US = Date.parse('2026-03-01T10:00:00Z') * 1_000 + 123_456

function record(runId: string, changes: Partial<Refusal> = {}): Promise<DeadLetter> {
  return pipeline.deadLetters.record({
    runId,
    writes: [{ path: 'name', value: 'refused', source: 'ingest', stamp: `${OBSERVED_US} 0 1 ${OBSERVED_US} 0 ingest` }],
    reason: 'invalid_argument',
    message: 'name is not allowed',
    httpStatus: 400,
    code: 3,
    tries: ['2026-03-01T10:00:01.000Z PATCH name -> 400 invalid_argument: name is not allowed (12 ms)'],
    ...changes,
  })
}

const startTimeWrite = {
  path: 'startTime',
  value: '2026-03-01T10:00:00Z',
  source: '',
  stamp: `${OBSERVED_US} 0 1 ${OBSERVED_US} 0 `,
} as const

const keyConflict: Partial<Refusal> = {
  writes: [{ path: 'clientKey', value: 'mine', source: 'ingest', stamp: `${OBSERVED_US} 0 1 ${OBSERVED_US} 0 ingest` }],
  reason: 'client_key_conflict',
  heldClientKey: 'theirs',
}

async function letterIds(): Promise<string[]> {
  const ids: string[] = []
  for await (const { data } of pipeline.deadLetters.list()) ids.push(data.id)
  return ids
}

describe('dead-letters list', () => {
  test('--json prints a line for each, of the shape that scripts rely on', async () => {
    const { id, deadLetteredAt } = await record('run-1')
    const { code, stdout, stderr } = await run('list', '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(lines(stdout)).toEqual([
      {
        id,
        runId: 'run-1',
        run: { runId: 'run-1', name: 'refused' },
        updateMask: 'name',
        reason: 'invalid_argument',
        httpStatus: 400,
        code: 3,
        message: 'name is not allowed',
        deadLetteredAt,
        attempts: 1,
        sources: ['ingest'],
      },
    ])
  })

  test('names the key that the run holds, for a client key conflict', async () => {
    await record('run-1', keyConflict)
    expect(lines((await run('list', '--json')).stdout)).toMatchObject([{ heldClientKey: 'theirs' }])
  })

  test('finds by run, reason, source and age, and by no more than --limit', async () => {
    await record('run-1')
    await record('run-2', { reason: 'run_not_found' })
    await record('run-3', { writes: [startTimeWrite] })
    const found = async (...args: string[]) =>
      lines((await run('list', '--json', ...args)).stdout)
        .map((letter) => (letter as DeadLetter).runId)
        .toSorted()
    expect(await found('--run', 'run-1')).toEqual(['run-1'])
    expect(await found('--reason', 'run_not_found')).toEqual(['run-2'])
    expect(await found('--source', 'ingest')).toEqual(['run-1', 'run-2'])
    expect(await found('--older-than', '0s')).toEqual(['run-1', 'run-2', 'run-3'])
    expect(await found('--older-than', '1h')).toEqual([])
    expect(await found('--limit', '2')).toHaveLength(2)
    expect(await found()).toHaveLength(3)
  })

  test('prints a table for people', async () => {
    const { id } = await record('run-1')
    const { stdout } = await run('list')
    expect(stdout).toMatch(/^ID +FIELDS +REASON +AGE +MESSAGE\n/)
    expect(stdout).toContain(id)
    expect(stdout).toContain('name is not allowed')
  })

  test('that matches nothing says so and is no failure', async () => {
    const { code, stdout, stderr } = await run('list', '--run', 'nobody')
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(stderr).toContain('No dead letter matches.')
  })
})

describe('dead-letters show', () => {
  test('tells what would have been sent, who wrote it, the answer, the tries, and how to replay it', async () => {
    const { id } = await record('run-1')
    const { code, stdout } = await run('show', id)
    expect(code).toBe(0)
    expect(stdout).toContain('"name": "refused"')
    expect(stdout).toContain('HTTP 400, code 3, name is not allowed')
    expect(stdout).toContain('name, observed 2026-03-01T10:00:00.123456Z, by ingest')
    expect(stdout).toContain('2026-03-01T10:00:01.000Z PATCH name -> 400')
    expect(stdout).toMatch(
      new RegExp(`sift-run-updater dead-letters retry .*--queue-name ${pipeline.lane.queueName} ${id}$`, 'm'),
    )
  })

  test.each(['run-1', '-run'])('prints a command that does replay it: %s', async (runId) => {
    const { id } = await record(runId)
    const { stdout } = await run('show', '--json', '--', id)
    const { replay } = JSON.parse(stdout) as { replay: string }
    const [, ...args] = replay.split(' ')
    expect(await runCommand(args)).toMatchObject({ code: 0 })
    expect(await letterIds()).toEqual([])
  })

  test('of an id that does not exist fails', async () => {
    const { code, stderr } = await run('show', 'run-1.0123456789abcdef')
    expect(code).toBe(1)
    expect(stderr).toContain('There is no dead letter run-1.0123456789abcdef.')
  })
})

describe('dead-letters retry', () => {
  test('sends the letter again, with the order that it had', async () => {
    const { id } = await record('run-1')
    const { code, stdout, stderr } = await run('retry', id)
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(stderr).toContain('1 of 1 dead letter redriven')
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'refused' })
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 1, redriven: 1, removed: 0 })
  })

  test('--all takes them all, and --json tells what became of each', async () => {
    const letters = await Promise.all(Array.from({ length: 30 }, (_, i) => record(`run-${i}`)))
    const { code, stdout } = await run('retry', '--all', '--json')
    expect(code).toBe(0)
    const results = lines(stdout) as { id: string; result: string }[]
    expect(results.map(({ id }) => id).toSorted()).toEqual(letters.map(({ id }) => id).toSorted())
    expect(new Set(results.map(({ result }) => result))).toEqual(new Set(['redriven']))
    expect(await letterIds()).toEqual([])
  })

  test('--dry-run prints which, and changes nothing', async () => {
    const { id } = await record('run-1')
    const { code, stdout, stderr } = await run('retry', '--all', '--dry-run', '--json')
    expect(code).toBe(0)
    expect(lines(stdout)).toMatchObject([{ id }])
    expect(stderr).toContain('1 dead letter would be retried.')
    expect(await letterIds()).toEqual([id])
  })

  test('says that a stale one was dropped, which is no failure', async () => {
    const { id } = await record('run-1')
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'newer' } })
    const { code, stderr } = await run('retry', id)
    expect(code).toBe(0)
    expect(stderr).toContain(`${id}: name had a newer value already`)
    expect(await letterIds()).toEqual([])
  })

  test('of a client key that is in conflict again fails, and the letter stays', async () => {
    const { id } = await record('run-1', keyConflict)
    await pipeline.producer.enqueue({ run: { runId: 'run-1', clientKey: 'theirs' } })
    const { code, stderr } = await run('retry', id)
    expect(code).toBe(1)
    expect(stderr).toContain(`${id} stays: its client key is in conflict again, the run has "theirs".`)
    expect(await letterIds()).toEqual([id])
  })

  test('of a letter that was edited into something unreadable fails, changes nothing, and takes the others', async () => {
    const edited = await record('run-1')
    const job = await pipeline.deadLetters.queue.getJob(edited.id)
    await job?.updateData({ ...edited, run: { runId: 'run-1', name: 7 } })
    await record('run-2')
    const { code, stderr } = await run('retry', '--all')
    expect(code).toBe(1)
    expect(stderr).toContain(`${edited.id} stays as it is: `)
    expect(stderr).toContain('run.name is 7')
    expect(await letterIds()).toEqual([edited.id])
  })

  test('warns where it writes startTime, which Sift sets itself', async () => {
    const { id } = await record('run-1', { writes: [startTimeWrite] })
    const { code, stderr } = await run('retry', id)
    expect(code).toBe(0)
    expect(stderr).toContain('warning: 1 dead letter writes startTime. Sift overwrites it when ingestion starts')
  })

  test('of an id that does not exist fails, and takes the others', async () => {
    const { id } = await record('run-1')
    const { code, stderr } = await run('retry', 'run-1.0123456789abcdef', id)
    expect(code).toBe(1)
    expect(stderr).toContain('There is no dead letter run-1.0123456789abcdef.')
    expect(await letterIds()).toEqual([])
  })
})

describe('dead-letters discard', () => {
  test.skipIf(!HAS_TERMINAL)('takes Ctrl-D at its question for a no', async () => {
    await record('run-1')
    const press = { keys: '\u0004', at: '[y/N]' }
    const { code, screen } = await onTerminal(['dead-letters', 'discard', '--all'], env(), press)
    expect(screen).toContain('Nothing was discarded.')
    expect(screen).not.toContain('AbortError')
    expect(code).toBe(1)
    expect(await letterIds()).toHaveLength(1)
  })

  test('without --yes and without a terminal is a mistake, and changes nothing', async () => {
    const { id } = await record('run-1')
    const { code, stderr } = await run('discard', id)
    expect(code).toBe(2)
    expect(stderr).toContain('add --yes')
    expect(await letterIds()).toEqual([id])
  })

  test('leaves a line of what was thrown away, and counts it at once', async () => {
    const { id } = await record('run-1')
    await record('run-2', { reason: 'run_not_found' })
    const { code, stdout, stderr } = await run('discard', '--reason', 'invalid_argument', '--yes')
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    const [logged] = stderr.split('\n').filter((line) => line.startsWith('{'))
    expect(JSON.parse(logged ?? '')).toMatchObject({
      event: 'dead-letter:discarded',
      id,
      run: { runId: 'run-1', name: 'refused' },
    })
    expect(await letterIds()).toHaveLength(1)
    expect(await pipeline.deadLetters.counts()).toEqual({ recorded: 2, redriven: 0, removed: 1 })
  })

  test.each(['| true', '2>&1 | true', '> /dev/full'])(
    'goes on to the end where its output has no reader (%s)',
    async (to) => {
      for (let i = 0; i < 20; i++) await record(`run-${i}`)
      await runInShell(`"$0" "$1" dead-letters discard --all --yes --json ${to}`, env())
      expect(await letterIds()).toEqual([])
    },
  )

  test('--dry-run needs no --yes', async () => {
    const { id } = await record('run-1')
    const { code, stdout } = await run('discard', '--all', '--dry-run')
    expect(code).toBe(0)
    expect(stdout).toContain(id)
    expect(await letterIds()).toEqual([id])
  })
})

describe('dead-letters export', () => {
  test('prints what enqueue takes back, and the mended value wins over what was older', async () => {
    const { id } = await record('run-1')
    const { code, stdout } = await run('export', id)
    expect(code).toBe(0)
    expect(lines(stdout)).toEqual([
      {
        run: { runId: 'run-1', name: 'refused' },
        updateMask: 'name',
        observedAt: '2026-03-01T10:00:00.123456Z',
        source: 'ingest',
      },
    ])
    const older = '2026-03-01T09:59:59Z'
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'older' }, observedAt: older })
    const mended = stdout.replace('refused', 'mended')
    expect(await runCommand(['enqueue'], { env: env(), input: mended })).toMatchObject({ code: 0 })
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'mended' })
  })

  test('gives a mended value no chance against what was observed later', async () => {
    await record('run-1')
    const { stdout } = await run('export', '--all')
    await pipeline.producer.enqueue({ run: { runId: 'run-1', name: 'newer' }, observedAt: '2026-03-01T10:00:01Z' })
    expect(await runCommand(['enqueue'], { env: env(), input: stdout })).toMatchObject({ code: 0 })
    pipeline.addWorker()
    await pipeline.drained()
    expect(pipeline.simulator.runs.get('run-1')).toMatchObject({ name: 'newer' })
  })

  test('tells which letters have nothing that could be sent', async () => {
    await record('run-1', { writes: [], reason: 'corrupt_entry', raw: { 'value:name': '{' } })
    const { code, stdout, stderr } = await run('export', '--all')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('not exported: ')
  })
})

describe('wrong usage', () => {
  test.each([
    [['retry'], 'Say which dead letters are meant'],
    [['discard', '--yes'], 'Say which dead letters are meant'],
    [['export'], 'Say which dead letters are meant'],
    [['retry', 'an-id', '--all'], 'leave out filters'],
    [['retry', '--all', '--run', 'run-1'], 'leave out --all'],
    [['list', '--older-than', 'yesterday'], 'It must be an age'],
    [['list', '--limit', '0'], 'at least 1'],
    [['show'], 'missing required argument'],
  ])('%j ends with 2 and says what is wrong', async ([command = '', ...args], message) => {
    const { code, stderr } = await run(command, ...args)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('    at ')
  })
})

test('without Redis it ends with 3', async () => {
  const { code, stderr } = await runCommand(['dead-letters', 'list'], { env: { REDIS_URL: 'redis://127.0.0.1:1' } })
  expect(code).toBe(3)
  expect(stderr).toContain("can't be reached")
})
