import { Presets, SingleBar } from 'cli-progress'

/**
 * A bar for so many steps, on a terminal's standard error; undefined anywhere else. Neither line wrap nor the cursor is
 * switched off for it: a process that is ended by Ctrl-C can't switch them on again.
 */
export function openBar(total: number, format: string): SingleBar | undefined {
  if (!process.stderr.isTTY || total === 0) return undefined
  return new SingleBar(
    { format, stream: process.stderr, clearOnComplete: true, linewrap: true },
    Presets.shades_classic,
  )
}
