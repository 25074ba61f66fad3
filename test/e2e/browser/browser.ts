import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

const EXECUTABLES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Nothing but our own server is asked for anything, by the browser itself neither. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const ARTEFACTS = fileURLToPath(new URL('../../../test-artefacts', import.meta.url))

/** @throws where no Chromium is installed: these tests have no other way. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = EXECUTABLES.find((path) => existsSync(path))
  if (executablePath === undefined) throw new Error('install chromium (Debian: apt-get install chromium)')
  return await chromium.launch({ executablePath, args: ARGS })
}

/** A page that notes what an operator must never meet. */
export interface WatchedPage {
  readonly page: Page
  readonly context: BrowserContext
  /** Errors of scripts, and what the Content-Security-Policy has refused. */
  readonly errors: readonly string[]
  /** Requests to any other host than `url`. */
  readonly strangers: readonly string[]
  close(): Promise<void>
}

export async function openPage(browser: Browser, url: string, language = 'en-US'): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: language })
  context.setDefaultTimeout(10_000)
  const page = await context.newPage()
  const errors: string[] = []
  const strangers: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('status of')) errors.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) strangers.push(request.url())
  })
  return { page, context, errors, strangers, close: () => context.close() }
}

export function expectQuiet({ errors, strangers }: WatchedPage): void {
  expect({ errors, strangers }).toEqual({ errors: [], strangers: [] })
}

/** Kept for people, whatever comes of the test. */
export async function keepScreenshot(page: Page, name: string, options: { fullPage?: boolean } = {}): Promise<void> {
  await mkdir(ARTEFACTS, { recursive: true })
  await page.screenshot({ ...options, path: `${ARTEFACTS}/${name}.png` })
}
