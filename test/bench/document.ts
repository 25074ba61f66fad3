import { readFile, writeFile } from 'node:fs/promises'
import { circumstances, notes, type Result, table } from './report.js'
import type { Stage } from './stage.js'

const DOCUMENT = 'docs/benchmarks.md'

/** The machine and the versions, as the table's foot tells them. */
export async function around(stage: Stage): Promise<string> {
  const bullmq = JSON.parse(await readFile('node_modules/bullmq/package.json', 'utf8')) as { version: string }
  return circumstances(await stage.redisVersion(), bullmq.version)
}

/** Puts the table between the two marks of this name. */
export async function writeTable(name: string, results: readonly Result[], foot: string): Promise<void> {
  const day = new Date().toISOString().slice(0, 10)
  const text = `${table(results)}\n\nMeasured on ${foot}, ${day}.\n\n${notes(results)}\n`
  const between = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*(<!-- end of ${name} -->)`)
  const document = await readFile(DOCUMENT, 'utf8')
  await writeFile(
    DOCUMENT,
    document.replace(between, (_all, start, end) => `${start}\n${text}\n${end}`),
  )
}

/** The same for programs. */
export async function writeJson(path: string, results: readonly Result[], foot: string): Promise<void> {
  const figures = results.map(({ row: { key, target, goal, unit }, finding }) => ({
    key,
    target,
    goal,
    unit,
    ...finding,
  }))
  await writeFile(path, `${JSON.stringify({ around: foot, figures }, undefined, 2)}\n`)
}
