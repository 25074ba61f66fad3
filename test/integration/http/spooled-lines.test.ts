import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SpooledLines } from '../../../src/http/spooled-lines.js'

const KILOBYTE = 'x'.repeat(1_000)

test('what nobody reads waits outside of memory, and comes in order', async () => {
  const lines = new SpooledLines()
  for (let i = 0; i < 2_000; i++) await lines.add(`${i} ${KILOBYTE}\n`)
  expect(lines.readableLength).toBeLessThan(200_000)
  lines.complete()
  let text = ''
  for await (const chunk of lines) text += chunk
  expect(text).toBe(Array.from({ length: 2_000 }, (_, i) => `${i} ${KILOBYTE}\n`).join(''))
})

test('however reading and writing take turns, all of it arrives, once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size: fc.nat(90_000), isRead: fc.boolean() }), { maxLength: 20 }),
      async (steps) => {
        const lines = new SpooledLines()
        let read = ''
        let written = ''
        for (const [index, { size, isRead }] of steps.entries()) {
          const text = String(index % 10).repeat(size)
          written += text
          await lines.add(text)
          if (isRead) read += String(lines.read() ?? '')
        }
        lines.complete()
        for await (const chunk of lines) read += chunk
        expect(read === written).toBe(true)
      },
    ),
    { numRuns: 100 },
  )
})

test('a reader that goes away ends it quietly', async () => {
  const lines = new SpooledLines()
  await lines.add(KILOBYTE.repeat(100))
  lines.destroy()
  await lines.add(KILOBYTE)
  lines.complete()
  expect(lines.destroyed).toBe(true)
})
