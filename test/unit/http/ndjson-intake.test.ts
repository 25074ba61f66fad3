import { once } from 'node:events'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { UpdateRejectedError } from '../../../src/errors.js'
import { takeInLines } from '../../../src/http/ndjson-intake.js'
import { rejection } from '../../../src/producer/enqueue-result.js'
import { parseRunUpdateText } from '../../../src/run/parse.js'

const LINES = 60_000

/** Refuses all, at once, as the parser does. */
function refusingProducer() {
  const seen = { lines: 0 }
  const error = new UpdateRejectedError('missing_run', 'run', 'there is no run')
  return {
    seen,
    enqueueTexts: async (texts: readonly string[]) => {
      seen.lines += texts.length
      return texts.map(() => rejection(null, error))
    },
  }
}

const manyLines = () => Readable.from([Buffer.from('1\n'.repeat(LINES)), Buffer.from('1\n'.repeat(LINES))])

test('others have their turn while many lines are judged', async () => {
  let turns = 0
  let isRunning = true
  const count = () => {
    turns++
    if (isRunning) setImmediate(count)
  }
  setImmediate(count)
  const { lines } = await takeInLines(refusingProducer(), manyLines(), new Socket())
  await once(lines.resume(), 'end')
  isRunning = false
  expect(turns).toBeGreaterThan(50)
})

test('a client that leaves is not worked for any more', async () => {
  const producer = refusingProducer()
  const socket = new Socket()
  const { lines } = await takeInLines(producer, manyLines(), socket)
  socket.destroy()
  await once(lines, 'close')
  const { lines: judged } = producer.seen
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(producer.seen.lines).toBe(judged)
  expect(judged).toBeLessThan(2 * LINES)
})

test('a client that has left before its lines were looked at is not worked for at all', async () => {
  const producer = refusingProducer()
  const socket = new Socket()
  socket.destroy()
  await expect(takeInLines(producer, manyLines(), socket)).rejects.toThrow('could not be read to its end')
  expect(producer.seen.lines).toBe(0)
})

test('a refused line costs no stack', () => {
  const judged = parseRunUpdateText('{}')
  expect(!judged.ok && judged.error.stack).toBe(!judged.ok && `UpdateRejectedError: ${judged.error.message}`)
  expect(String(new Error('x').stack)).toContain('\n')
})
