import { expect, test } from 'vitest'
import { startServedLane } from '../../integration/http/served-lane.js'
import { startTestRedis } from '../../support/redis.js'
import { expectQuiet, keepScreenshot, launchBrowser, openPage } from './browser.js'

test('what the interface answers is shown on demand, a shape is a click away, and a phone scrolls down only', async () => {
  const redis = await startTestRedis()
  const lane = await startServedLane(redis)
  const browser = await launchBrowser()
  const reader = await openPage(browser, lane.url)
  const { page } = reader
  await page.goto(`${lane.url}/docs`)
  await page.getByText('Answers: 202').first().click()
  await keepScreenshot(page, 'docs-answers')
  await page.locator('a[href="#shape-Error"]').first().click()
  await page.locator('#shape-Error').waitFor()
  await page.evaluate('document.querySelectorAll("details").forEach((details) => { details.open = true })')
  for (const width of [1_280, 390]) {
    await page.setViewportSize({ width, height: 844 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
  }
  expectQuiet(reader)
  await browser.close()
  await lane.close()
  await redis.close()
})
