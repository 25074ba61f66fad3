import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { failedJob, refusal } from '../../integration/dead-letters/letters.js'
import { type ServedLane, startServedLane } from '../../integration/http/served-lane.js'
import { startTestRedis, type TestRedis } from '../../support/redis.js'
import { waitFor } from '../../support/wait-for.js'
import { expectQuiet, keepScreenshot, launchBrowser, openPage, type WatchedPage } from './browser.js'

let redis: TestRedis
let browser: Browser
let lane: ServedLane
let operator: WatchedPage
let page: Page

beforeAll(async () => {
  redis = await startTestRedis()
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await redis.close()
})
beforeEach(async () => {
  lane = await startServedLane(redis)
  operator = await openPage(browser, lane.url)
  page = operator.page
})
afterEach(async () => {
  await operator.close()
  await lane.close()
})

async function lookUp(runId: string): Promise<void> {
  await page.goto(`${lane.url}/?run=${runId}`)
  await page.locator('#run').waitFor()
}

test('a run that is looked at is told as sent once it was, without being asked for again', async () => {
  await lane.producer.enqueue({ run: { runId: 'run-1', name: 'a name' } })
  await lookUp('run-1')
  await page.getByText('run-1: 1 field pending, never sent, no dead letters.').waitFor()
  lane.addWorker()
  await page.getByText('run-1: nothing pending, sent before, no dead letters.').waitFor()
  await page.getByText('Nothing waits to be sent.').waitFor()
  await page.getByText(/^as of \d\d:\d\d:\d\d$/).waitFor()
  expectQuiet(operator)
})

test('a run whose one field was refused shows all of the others as applied', async () => {
  await lane.producer.enqueue({
    run: { runId: 'run-1', name: 'n', startTime: '2026-03-01T11:00:00Z', stopTime: '2026-03-01T10:00:00Z' },
  })
  lane.addWorker()
  await lookUp('run-1')
  await page.getByRole('heading', { name: 'Applied so far' }).waitFor()
  const applied = page.locator('dl').last().locator('dt')
  await waitFor('both fields', async () => (await applied.allTextContents()).join() === 'name,startTime')
  expectQuiet(operator)
})

test('its ages go on, and the field that comes anew takes neither focus nor scroll away', async () => {
  const slow = lane.addProducer({ coalesceWindowMs: 60_000 })
  await slow.enqueue({ run: { runId: 'run-1', name: 'a name' } })
  await lookUp('run-1')
  const age = page.getByRole('row', { name: /name a name/ }).locator('time')
  const before = await age.textContent()
  await page.getByLabel('Run id').focus()
  await page.evaluate('scrollTo(0, 150); document.querySelector("#run table").sameTable = true')
  const scrolled = await page.evaluate('scrollY')
  await slow.enqueue({ run: { runId: 'run-1', description: 'a text' } })
  await page.getByRole('row', { name: /description a text/ }).waitFor()
  expect(await age.textContent()).not.toBe(before)
  expect(await page.evaluate('document.activeElement.id')).toBe('run-id')
  expect(await page.evaluate('[scrollY, document.querySelector("#run table").sameTable]')).toEqual([scrolled, true])
  await keepScreenshot(page, 'overview-run')
  expectQuiet(operator)
})

test('a dead letter of it is sent again by its button, and both are told', async () => {
  const { id } = await lane.deadLetters.record(refusal('run-1'))
  lane.addWorker()
  await failedJob(lane, id)
  await lookUp('run-1')
  await page.getByRole('button', { name: /^Retry the dead letter/ }).click()
  await page.getByText('The dead letter is pending again, and will be sent.').waitFor()
  await page.getByText('run-1: nothing pending, sent before, no dead letters.').waitFor()
  expect(lane.simulator.runs.get('run-1')?.name).toBe('refused')
  expectQuiet(operator)
})

test('a long value is cut, and one that was opened stays so while the page goes on', async () => {
  const long = 'word '.repeat(150).trim()
  const slow = lane.addProducer({ coalesceWindowMs: 60_000 })
  await slow.enqueue({ run: { runId: 'run-1', description: long }, source: 'a-service' })
  await lookUp('run-1')
  const all = page.locator('#run td.value details > code')
  expect(await all.isVisible()).toBe(false)
  await page.getByText('show all').click()
  expect(await all.textContent()).toBe(long)
  await slow.enqueue({ run: { runId: 'run-1', name: 'later' } })
  await page.getByRole('row', { name: /name later/ }).waitFor()
  expect(await all.isVisible()).toBe(true)
})

test.each(['light', 'dark'] as const)(
  'on a phone its rows are stacked, each with what it is, in %s',
  async (scheme) => {
    const slow = lane.addProducer({ coalesceWindowMs: 60_000 })
    const run = { runId: 'run-1', description: 'x'.repeat(700), name: 'a name' }
    await slow.enqueue({ run, source: 'a-service-with-a-long-name' })
    await page.emulateMedia({ colorScheme: scheme })
    await page.setViewportSize({ width: 375, height: 740 })
    await lookUp('run-1')
    const row = page.getByRole('row', { name: /name a name/ })
    const tops = await row
      .locator('th, td')
      .evaluateAll((cells) => cells.map((cell) => cell.getBoundingClientRect().top))
    expect(tops).toEqual([...tops].sort((a, b) => a - b))
    expect(new Set(tops).size).toBe(4)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375)
    await page.locator('#run').scrollIntoViewIfNeeded()
    await keepScreenshot(page, `overview-run-phone-${scheme}`)
  },
)

test('on a desktop a long value leaves the source its room', async () => {
  const slow = lane.addProducer({ coalesceWindowMs: 60_000 })
  await slow.enqueue({ run: { runId: 'run-1', description: 'x'.repeat(700) }, source: 'a-service' })
  await lookUp('run-1')
  const source = page.locator('#run td.source')
  expect(await source.evaluate((cell) => cell.getBoundingClientRect().width)).toBeGreaterThanOrEqual(130)
})

test('nothing is read again while the page is hidden', async () => {
  await lookUp('run-1')
  let reads = 0
  page.on('request', (request) => {
    if (request.url().includes('/v1/runs/')) reads++
  })
  await page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, value: true })")
  const pace = 3_500
  await page.waitForTimeout(pace)
  expect(reads).toBe(0)
  await page.evaluate('delete document.hidden')
  await waitFor('it to be read again', () => reads > 0)
  await page.waitForTimeout(pace)
  expect(reads).toBeLessThanOrEqual(3)
})
