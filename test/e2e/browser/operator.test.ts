import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
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

const text = async (selector: string): Promise<string> => (await page.textContent(selector))?.trim() ?? ''

async function openQueue(queueName: string, status: string): Promise<void> {
  await page.goto(`${lane.url}/dashboard/queue/${queueName}?status=${status}`)
}

describe('Bull Board', () => {
  test('shows the update that is pending now under a delayed flush job', async () => {
    const slow = lane.addProducer({ coalesceWindowMs: 60_000 })
    await slow.enqueue({ run: { runId: 'run-1', name: 'first name' }, source: 'a-service' })
    await slow.enqueue({ run: { runId: 'run-1', name: 'second name' }, source: 'another-service' })
    await openQueue(lane.lane.queueName, 'delayed')
    await page.getByRole('tab', { name: 'Data', exact: true }).click()
    await page.getByText('second name').first().waitFor()
    await page.getByText('another-service').first().waitFor()
    expect(await page.getByText('first name').count()).toBe(0)
    await keepScreenshot(page, 'dashboard-pending')
    expectQuiet(operator)
  })

  test('shows the merged body and the cause of a failed one, and Retry makes it arrive', async () => {
    const { id } = await lane.deadLetters.record(refusal('run-1'))
    lane.addWorker()
    await failedJob(lane, id)
    await openQueue(lane.lane.deadLetterQueueName, 'failed')
    await page.getByText('the API says no').first().waitFor()
    await page.getByRole('tab', { name: 'Data', exact: true }).click()
    await page.getByText('refused').first().waitFor()
    await keepScreenshot(page, 'dashboard-dead-letter')
    await page.getByRole('button', { name: 'Retry all' }).click()
    await page.getByRole('button', { name: /confirm|ok|yes/i }).click()
    await waitFor('the run to be sent', () => lane.simulator.runs.get('run-1')?.name === 'refused')
    expectQuiet(operator)
  })

  test('offers to clean, empty or obliterate the dead letters nowhere', async () => {
    const { id } = await lane.deadLetters.record(refusal('run-1'))
    lane.addWorker()
    await failedJob(lane, id)
    await openQueue(lane.lane.deadLetterQueueName, 'failed')
    await page.getByRole('button', { name: 'Retry all' }).waitFor()
    expect(await page.getByRole('button', { name: 'Clean all' }).count()).toBe(0)
    await page.locator('main button[aria-haspopup="menu"]').click()
    await page.getByRole('menuitem', { name: 'Pause' }).waitFor()
    for (const name of ['Empty', 'Obliterate', 'concurrency', 'rate limit'])
      expect(await page.getByRole('menuitem', { name }).count()).toBe(0)
  })

  /** The buttons of the first job, by the names of their icons: they have no other. */
  const jobButtons = (): Promise<string[]> =>
    page.evaluate(
      `[...document.querySelectorAll('ul[class*="jobActions-"] > li')].filter((item) => item.checkVisibility()).map((item) => item.querySelector('svg').classList[1])`,
    )

  test('has an editor for the data of a dead letter that can be read, and what is mended there is sent', async () => {
    const { id } = await lane.deadLetters.record(refusal('run-1'))
    lane.addWorker()
    await failedJob(lane, id)
    await openQueue(lane.lane.deadLetterQueueName, 'failed')
    await page.locator('ul[class*="jobActions-"] button:has(.lucide-pencil)').click()
    await page.locator('.cm-content').waitFor()
    // Without its styles, the numbers of the lines lie above all of the lines.
    expect(await page.evaluate("getComputedStyle(document.querySelector('.cm-scroller')).display")).toBe('flex')
    await keepScreenshot(page, 'dashboard-editor')
    const line = page.locator('.cm-line', { hasText: '"name": "refused"' })
    await line.click()
    await page.keyboard.press('Home')
    await page.keyboard.press('Shift+End')
    await page.keyboard.insertText('"name": "mended"')
    await page.locator('#job-data[value*="mended"]').waitFor({ state: 'attached' })
    const updated = page.waitForResponse((answer) => answer.url().endsWith('/update-data'))
    await page.getByRole('button', { name: 'Update' }).click()
    expect((await updated).ok()).toBe(true)
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Retry all' }).click()
    await page.getByRole('button', { name: /confirm|ok|yes/i }).click()
    await waitFor('the mended name to be sent', () => lane.simulator.runs.get('run-1')?.name === 'mended')
    expectQuiet(operator)
  })

  test('offers for flush jobs only what is not refused', async () => {
    await lane.addProducer({ coalesceWindowMs: 60_000 }).enqueue({ run: { runId: 'run-1', name: 'n' } })
    await openQueue(lane.lane.queueName, 'delayed')
    await page.getByText('run-1', { exact: true }).waitFor()
    expect(await jobButtons()).toEqual(['lucide-corner-up-left', 'lucide-trash2'])
    await page.locator('main button[aria-haspopup="menu"]').click()
    await page.getByRole('menuitem', { name: 'Pause' }).waitFor()
    expect(await page.getByRole('menuitem', { name: 'Add job' }).count()).toBe(0)
    await openQueue(lane.lane.intakeQueueName, 'waiting')
    await page.locator('main button[aria-haspopup="menu"]').click()
    await page.getByRole('menuitem', { name: 'Add job' }).waitFor()
  })
})

describe('the overview', () => {
  test('moves while updates come in, without a reload', async () => {
    lane.addWorker()
    await page.goto(lane.url)
    await page.getByText('live', { exact: true }).waitFor()
    await page.evaluate('globalThis.sameDocument = true')
    const load = setInterval(() => {
      const updates = Array.from({ length: 20 }, (_, run) => ({ run: { runId: `run-${run}`, name: `${Date.now()}` } }))
      void lane.producer.enqueueMany(updates)
    }, 50)
    try {
      await waitFor(
        'both rates to move',
        async () => {
          const rates = await Promise.all(['#updates-rate', '#patches-rate', '#updates-per-patch'].map(text))
          return rates.every((rate) => Number(rate.replace(',', '')) > 1)
        },
        { timeoutMs: 15_000 },
      )
      await keepScreenshot(page, 'overview-load')
    } finally {
      clearInterval(load)
    }
    expect(await page.getByRole('img', { name: /Updates in: .* a second/ }).count()).toBe(1)
    expect(await page.evaluate('globalThis.sameDocument')).toBe(true)
    expectQuiet(operator)
  })

  test('looks a run up: its pending fields with value and source, its dead letters', async () => {
    const slow = lane.addProducer({ coalesceWindowMs: 60_000 })
    await slow.enqueue({ run: { runId: 'run-1', name: 'a name', description: null }, source: 'a-service' })
    await lane.deadLetters.record(refusal('run-1'))
    await page.goto(lane.url)
    await page.getByLabel('Run id').fill('run-1')
    await page.getByLabel('Run id').press('Enter')
    await page.getByRole('row', { name: /name a name a-service/ }).waitFor()
    await page.getByRole('row', { name: /description cleared a-service/ }).waitFor()
    await page.getByText('the API says no').waitFor()
    await page.reload()
    await page.getByRole('row', { name: /name a name a-service/ }).waitFor()
    expectQuiet(operator)
  })

  test('says of a run that nobody knows that nothing is known', async () => {
    await page.goto(lane.url)
    await page.getByLabel('Run id').fill('no-such-run')
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.getByText('Nothing is known of no-such-run').waitFor()
  })

  test('holds the lane for a reason that everybody sees, and opens it again', async () => {
    lane.addWorker()
    await page.goto(lane.url)
    await page.getByLabel(/^Hold it/).fill('maintenance <b>at noon</b>')
    await page.getByRole('button', { name: 'Hold', exact: true }).click()
    const banner = page.getByRole('alert')
    await banner.getByText('maintenance <b>at noon</b>').waitFor()
    await banner.getByText('Until an operator opens it.').waitFor()
    expect(await lane.throttle.read()).toMatchObject({ state: 'held', reason: 'operator' })
    await keepScreenshot(page, 'overview-held')
    await page.getByRole('button', { name: 'Open the lane' }).click()
    await banner.waitFor({ state: 'hidden' })
    expect(await lane.throttle.read()).toMatchObject({ state: 'open' })
    expectQuiet(operator)
  })

  test('counts dead letters by reason, and retries all of one', async () => {
    for (const run of ['run-1', 'run-2']) await lane.deadLetters.record(refusal(run))
    const { id } = await lane.deadLetters.record(refusal('run-3', { reason: 'run_not_found' }))
    lane.addWorker()
    await failedJob(lane, id)
    await page.goto(lane.url)
    await page.getByRole('row', { name: /invalid argument 2/ }).waitFor()
    await page.getByRole('button', { name: 'Retry all of invalid argument' }).click()
    await page.getByText('2 dead letters of invalid argument will be sent again').waitFor()
    await page.getByRole('row', { name: /invalid argument/ }).waitFor({ state: 'detached' })
    await page.getByRole('row', { name: /run not found 1/ }).waitFor()
    await waitFor('both to be sent', () => lane.simulator.runs.has('run-1') && lane.simulator.runs.has('run-2'))
    expectQuiet(operator)
  })

  test('is worked by the keyboard alone: the first Tab leads past the navigation, all controls can be reached', async () => {
    await page.goto(lane.url)
    await page.getByText('live', { exact: true }).waitFor()
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the lane')
    const reached: string[] = []
    for (let tab = 0; tab < 12; tab++) {
      await page.keyboard.press('Tab')
      reached.push(String(await page.evaluate('document.activeElement.id || document.activeElement.textContent')))
    }
    expect(reached).toEqual(expect.arrayContaining(['Queues', 'letters-link', 'hold-why', 'Hold', 'run-id', 'Look up']))
  })

  test.each(['light', 'dark'] as const)(
    'has text of enough contrast in %s, and no sideways scrolling when narrow',
    async (scheme) => {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width: 360, height: 740 })
      await page.goto(lane.url)
      await page.getByText('live', { exact: true }).waitFor()
      const colors = await page.evaluate<string[]>(
        "[getComputedStyle(document.querySelector('.tiles')).backgroundColor, getComputedStyle(document.querySelector('.note')).color]",
      )
      const [low = 0, high = 0] = colors.map(luminance).sort((a, b) => a - b)
      expect((high + 0.05) / (low + 0.05)).toBeGreaterThan(4.5)
      const root = 'document.documentElement'
      expect(await page.evaluate(`${root}.scrollWidth - ${root}.clientWidth`)).toBe(0)
    },
  )
})

describe('a server with a token', () => {
  const TOKEN = 'correct-horse-battery-staple'

  test('turns a wrong token away, lets the right one in, and shows the token nowhere', async () => {
    const guarded = await startServedLane(redis, { authToken: TOKEN })
    try {
      const answers = await Promise.all(
        ['/overview/events', '/overview/overview.js', '/dashboard/api/queues', '/dashboard/dashboard.css'].map((path) =>
          guarded.call('GET', path),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401])
      await page.goto(guarded.url)
      await page.getByLabel('Token').fill('wrong')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('alert').getByText('That is not the token.').waitFor()
      await page.getByLabel('Token').fill(TOKEN)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('live', { exact: true }).waitFor()
      expect(await page.content()).not.toContain(TOKEN)
      expect(await page.evaluate('document.cookie')).toBe('')
      await page.goto(`${guarded.url}/dashboard`)
      await page.getByText('Flush jobs').first().waitFor()
      expect(await page.content()).not.toContain(TOKEN)
    } finally {
      await guarded.close()
    }
  })
})

/** Relative luminance, as the contrast of text is measured by. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map((part) => {
    const share = Number(part) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
