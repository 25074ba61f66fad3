import { describe, expect, test } from 'vitest'
import { renderLetters } from '../../../src/cli/dead-letters/letter-table.js'
import { toDeadLetter } from '../../../src/dead-letters/dead-letter.js'

const RUN_ID = '0b1f8c3e-5a1d-4f0e-9d55-0a4f6e6f3c11'
const RECORDED_AT = new Date('2026-03-01T10:00:00Z')
const NOW_MS = RECORDED_AT.getTime() + 3_600_000

function letterWith(message: string) {
  const writes = (['name', 'description', 'stopTime'] as const).map((path) => ({
    path,
    value: 'v',
    stamp: '1 0 1 1 0 ',
    source: '',
  }))
  return toDeadLetter({ runId: RUN_ID, writes, reason: 'permission_denied', message, tries: [] }, RECORDED_AT)
}

describe('the table of letters', () => {
  const letter = letterWith('the user of this API key may not change the run, ask its owner')

  test.each([80, 100, 120, 200])('fits a terminal of %i columns, and never cuts an id', (width) => {
    const lines = renderLetters([letter, letter], width, NOW_MS).split('\n')
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width)
    expect(lines[1]).toContain(letter.id)
  })

  test('cuts nothing where there is no terminal', () => {
    expect(renderLetters([letter], Number.POSITIVE_INFINITY, NOW_MS)).toMatch(
      /name,description,stopTime +permission_denied +1 h +the user of this API key may not change the run, ask its owner$/,
    )
  })

  test('lets no message move the cursor or begin a line', () => {
    const table = renderLetters([letterWith('one\u001b[2J\ntwo')], Number.POSITIVE_INFINITY, NOW_MS)
    expect(table.split('\n')).toHaveLength(2)
    expect(table).not.toContain('\u001b')
  })
})
