import { execFile } from 'node:child_process'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findRedisServer } from '../../src/cli/demo/fetch-redis.js'

const SOURCE = fileURLToPath(new URL('./faked-clock.c', import.meta.url))

/** A redis-server whose wall clock can be set while it runs; its monotonic clock is the machine's. */
export interface FakedClock {
  /** To be run instead of redis-server. */
  readonly binary: string
  /** Sets the clock so far ahead of the machine's (or behind: negative), at once. */
  setAheadSeconds(seconds: number): Promise<void>
}

/**
 * @param dir a folder of the test's own, which it removes
 * @throws Error where there is no C compiler: without the faked clock nothing would be shown.
 */
export async function prepareFakedClock(dir: string): Promise<FakedClock> {
  const library = join(dir, 'faked-clock.so')
  await promisify(execFile)('cc', ['-shared', '-fPIC', '-o', library, SOURCE]).catch((cause: unknown) => {
    throw new Error('a C compiler (cc) is needed to set the clock of Redis: apt-get install gcc libc6-dev', { cause })
  })
  const file = join(dir, 'seconds-ahead')
  const setAheadSeconds = async (seconds: number) => {
    // Renamed into place: a file that is read half written would be another time.
    await writeFile(`${file}.new`, `${seconds}`)
    await rename(`${file}.new`, file)
  }
  await setAheadSeconds(0)
  const binary = join(dir, 'redis-server')
  const command = `LD_PRELOAD='${library}' CLOCK_AHEAD_FILE='${file}' exec '${await findRedisServer()}' "$@"`
  await writeFile(binary, `#!/bin/sh\n${command}\n`, { mode: 0o755 })
  return { binary, setAheadSeconds }
}
