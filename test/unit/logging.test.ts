import { type Logger, pino } from 'pino'
import { beforeEach, expect, test } from 'vitest'
import { FactEmitter } from '../../src/events.js'
import { logFacts } from '../../src/logging.js'

let lines: Record<string, unknown>[]
let facts: FactEmitter
let logger: Logger
let end: () => void

beforeEach(() => {
  lines = []
  facts = new FactEmitter()
  logger = pino({ level: 'info', base: null }, { write: (text: string) => void lines.push(JSON.parse(text)) })
  end = logFacts(facts, logger)
})

const texts = (): unknown[] => lines.map(({ msg }) => msg)

const away = (message = 'connect ECONNREFUSED 127.0.0.1:6379'): Error =>
  Object.assign(new Error(message), { code: 'ECONNREFUSED', syscall: 'connect' })

test('a fact becomes a line with its data', () => {
  facts.emit('dead-letter:recorded', { id: 'r.1', runId: 'r', updateMask: 'name', reason: 'internal', message: 'no' })
  expect(lines).toMatchObject([{ level: 40, msg: 'a dead letter was recorded', runId: 'r', reason: 'internal' }])
})

test('a fact that stands for each run is not told at the usual level', () => {
  facts.emit('permit:taken', { runId: 'r', waitMs: 1 })
  expect(lines).toEqual([])
})

test('a Redis that is away is told once, whatever each connection calls it, and again once it is back', () => {
  facts.emit('redis:trouble', { error: away() })
  facts.emit('redis:trouble', { error: away('read ECONNRESET') })
  facts.emit('redis:trouble', { error: new Error('Connection is closed.') })
  expect(texts()).toEqual(['Redis is away; trying until it is back'])
  facts.emit('redis:recovered', {})
  facts.emit('redis:trouble', { error: away() })
  expect(texts().slice(1)).toEqual(['Redis is back', 'Redis is away; trying until it is back'])
})

test('a Redis that a worker and a producer of one process lose is told once, and that it is back, too', () => {
  const others = new FactEmitter()
  logFacts(others, logger)
  for (const from of [facts, others]) from.emit('redis:trouble', { error: away() })
  for (const from of [facts, others]) from.emit('redis:recovered', {})
  expect(texts()).toEqual(['Redis is away; trying until it is back', 'Redis is back'])
})

test('a Redis that hangs is one that is away', () => {
  facts.emit('redis:trouble', { error: new Error('time-out') })
  facts.emit('redis:trouble', { error: new Error('Command timed out') })
  expect(texts()).toEqual(['Redis is away; trying until it is back'])
})

test('a recovery without trouble before it is not told', () => {
  facts.emit('redis:recovered', {})
  expect(lines).toEqual([])
})

test('trouble of another kind is told besides', () => {
  facts.emit('redis:trouble', { error: away() })
  facts.emit('redis:trouble', { error: new Error('OOM command not allowed') })
  facts.emit('redis:trouble', { error: new Error('OOM command not allowed') })
  expect(lines).toMatchObject([{}, { msg: 'trouble with Redis', error: 'OOM command not allowed' }])
  expect(lines).toHaveLength(2)
})

test('the command that an error carries is never logged: it may be AUTH', () => {
  const error = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['hidden'] } })
  facts.emit('redis:trouble', { error })
  facts.emit('job:crashed', { runId: 'r', error })
  expect(lines).toHaveLength(2)
  expect(JSON.stringify(lines)).not.toContain('hidden')
})

test('nothing is logged any more once it was ended', () => {
  end()
  facts.emit('lane:opened', {})
  facts.emit('redis:trouble', { error: away() })
  expect(lines).toEqual([])
})
