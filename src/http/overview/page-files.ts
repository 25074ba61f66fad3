import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

export interface PageFile {
  readonly type: string
  readonly text: string
}

const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' } as const

const own = (name: string): string => fileURLToPath(new URL(`./page/${name}`, import.meta.url))
const require = createRequire(import.meta.url)

/** The files of the page by their path, the chart's library among them: a browser asks no other host. */
export function readPageFiles(): ReadonlyMap<string, PageFile> {
  return new Map([
    ['/', read(own('overview.html'), 'html')],
    ['/overview/overview.css', read(own('overview.css'), 'css')],
    ...['overview', 'chart', 'dom', 'lane', 'letters', 'run', 'run-view', 'words'].map(
      (name) => [`/overview/${name}.js`, read(own(`${name}.js`), 'js')] as const,
    ),
    ['/overview/icon.svg', read(own('icon.svg'), 'svg')],
    ['/overview/uplot.js', read(require.resolve('uplot/dist/uPlot.iife.min.js'), 'js')],
    ['/overview/uplot.css', read(require.resolve('uplot/dist/uPlot.min.css'), 'css')],
  ])
}

function read(path: string, kind: keyof typeof TYPES): PageFile {
  return { type: `${TYPES[kind]}; charset=utf-8`, text: readFileSync(path, 'utf8') }
}
