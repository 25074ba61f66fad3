import { readFileSync } from 'node:fs'

export function readDocument(name: string): string {
  return readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8')
}

/** The rows of the table whose header begins with this cell, each as its cells. */
export function readTable(markdown: string, firstHeading: string): string[][] {
  const lines = markdown.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${firstHeading} |`))
  if (start < 0) throw new Error(`there is no table that begins with "${firstHeading}"`)
  const rows: string[][] = []
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break
    rows.push(
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    )
  }
  return rows
}

/** The words in backticks of a cell. */
export function codeOf(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '')
}
