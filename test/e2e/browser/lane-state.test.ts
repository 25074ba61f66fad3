import { Queue } from 'bullmq'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { refusal } from '../../integration/dead-letters/letters.js'
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
  redis.thaw()
  await operator.close()
  await lane.close()
})

/** A job of the intake queue that is no update. */
async function startIntake(served: ServedLane): Promise<void> {
  const intake = new Queue(served.lane.intakeQueueName, { connection: redis.client(), prefix: served.lane.prefix })
  served.addWorker()
  await intake.add('update', { nonsense: true })
  await waitFor('it to be refused', async () => (await intake.getFailedCount()) === 1)
  await intake.close()
}

const text = async (selector: string): Promise<string> => (await page.textContent(selector))?.trim() ?? ''

test('whoever opens the page after a burst sees it, since when is told, and how many updates a PATCH took', async () => {
  lane.addWorker()
  await lane.producer.enqueueMany(
    Array.from({ length: 60 }, (_, n) => ({ run: { runId: `r-${n % 3}`, name: `${n}` } })),
  )
  await lane.drained()
  await page.goto(lane.url)
  await waitFor('the burst to be told', async () => Number(await text('#updates-rate')) > 0)
  expect(Number(await text('#updates-per-patch'))).toBeGreaterThanOrEqual(1)
  expect(await text('#flow-title')).toMatch(/^Flow since \d\d:\d\d:\d\d$/)
  expectQuiet(operator)
})

test('without a PATCH there is no ratio, and it says so', async () => {
  await lane.addProducer({ coalesceWindowMs: 60_000 }).enqueue({ run: { runId: 'run-1', name: 'n' } })
  await page.goto(lane.url)
  await page.getByText('live', { exact: true }).waitFor()
  expect(await text('#updates-per-patch')).toBe('–')
})

test('a queue that somebody has paused is told, with the way to resume it', async () => {
  await lane.flushQueue.queue.pause()
  await page.goto(lane.url)
  const banner = page.getByRole('alert')
  await banner.getByText('The queue is paused: nothing is sent until it is resumed').waitFor()
  expect(await text('#lane-state')).toBe('open, but the queue is paused')
  await keepScreenshot(page, 'overview-paused')
  await banner.getByRole('link', { name: 'Resume it in Bull Board' }).click()
  await page.getByText('Flush jobs').first().waitFor()
  await lane.flushQueue.queue.resume()
  await page.goto(lane.url)
  await page.locator('.chip[data-state=open]').waitFor()
  await banner.waitFor({ state: 'hidden' })
  expectQuiet(operator)
})

test('what was told of a deed vanishes after some seconds, and the limit is told as people say it', async () => {
  await lane.throttle.setRate({ max: 50, durationMs: 1_000 })
  await page.clock.install()
  await page.goto(lane.url)
  await page.getByText('limit 50 requests a second').waitFor()
  await page.getByLabel(/^Hold it/).fill('a reason')
  await page.getByRole('button', { name: 'Hold', exact: true }).click()
  const told = page.getByText('The lane is held. Updates are still taken in.')
  await told.waitFor()
  await page.clock.fastForward(9_000)
  await told.waitFor({ state: 'detached' })
  expectQuiet(operator)
})

test('intake jobs that were refused are told apart from the dead letters', async () => {
  await startIntake(lane)
  await page.goto(lane.url)
  await page.getByText('Besides, 1 job of the intake queue was refused before anything was sent.').waitFor()
  expect(await text('#letters-tile .note')).toBe('fields that Sift refused')
  const link = page.locator('#intake-link')
  expect(await link.getAttribute('href')).toBe(`/dashboard/queue/${lane.lane.intakeQueueName}?status=failed`)
})

test('the last time below the chart is whole', async () => {
  // It is one of those that are written.
  await page.clock.setFixedTime(Math.ceil(Date.now() / 60_000) * 60_000)
  await page.goto(lane.url)
  await page.getByText('live', { exact: true }).waitFor()
  // Nothing is drawn into the last pixels of the axis.
  const ink = await page.evaluate<number>(`(() => {
    const canvas = document.querySelector('#chart canvas')
    const { data } = canvas.getContext('2d').getImageData(canvas.width - 3, canvas.height - 24, 3, 24)
    return data.filter((value, index) => index % 4 === 3 && value > 0).length
  })()`)
  expect(ink).toBe(0)
})

test.each(['light', 'dark'] as const)('everything has its place on a desktop and on a phone, in %s', async (scheme) => {
  lane.addWorker()
  await page.emulateMedia({ colorScheme: scheme })
  await lane.deadLetters.record(refusal('run-1'))
  await lane.throttle.hold('maintenance of the database until noon')
  for (const [kind, width] of [
    ['desktop', 1280],
    ['phone', 375],
  ] as const) {
    await page.setViewportSize({ width, height: 900 })
    await page.goto(`${lane.url}/?run=run-1`)
    await page.getByRole('alert').waitFor()
    await page.locator('#run').waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    await keepScreenshot(page, `overview-held-${kind}-${scheme}`, { fullPage: true })
  }
})

test('a Redis that hangs is told with since when and as of when, nothing passes for open, and it ends by itself', async () => {
  await page.goto(lane.url)
  await page.getByText('live', { exact: true }).waitFor()
  await page.locator('.chip[data-state=open]').waitFor()
  redis.freeze()
  const banner = page.getByRole('alert')
  await banner.getByText(/^Redis does not answer since \d\d:\d\d:\d\d$/).waitFor()
  await banner.getByText(/^What is below is as of \d\d:\d\d:\d\d\.$/).waitFor()
  expect(await text('#lane-state')).toBe('not known now')
  expect(await page.evaluate("getComputedStyle(document.querySelector('.tiles')).filter")).toBe('grayscale(1)')
  await keepScreenshot(page, 'overview-hung')
  await page.reload()
  await banner.getByText(/^Redis does not answer since/).waitFor()
  redis.thaw()
  await banner.waitFor({ state: 'hidden' })
  await page.locator('.chip[data-state=open]').waitFor()
  expectQuiet(operator)
})
