import { readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findRedisServer } from '../../src/cli/demo/fetch-redis.js'

/** A redis-server whose wall clock can be set while it runs; its monotonic clock is the machine's. */
export interface FakedClock {
  /** To be run instead of redis-server. */
  readonly binary: string
  /** Sets the clock so far ahead of the machine's (or behind: negative), at once. */
  setAheadSeconds(seconds: number): Promise<void>
}

/**
 * @param dir a folder of the test's own, which it removes
 * @throws Error where libfaketime is missing: without it nothing would be shown.
 */
export async function prepareFakedClock(dir: string): Promise<FakedClock> {
  const [library, redisServer] = [await findLibrary(), await findRedisServer()]
  const offsetFile = join(dir, 'offset')
  const setAheadSeconds = async (seconds: number) => {
    // Renamed into place: a file that is read half written would be another time.
    await writeFile(`${offsetFile}.new`, `${seconds >= 0 ? '+' : ''}${seconds}s\n`)
    await rename(`${offsetFile}.new`, offsetFile)
  }
  await setAheadSeconds(0)
  const binary = join(dir, 'redis-server')
  const settings = [
    `LD_PRELOAD=${library}`,
    `FAKETIME_TIMESTAMP_FILE=${offsetFile}`,
    'FAKETIME_NO_CACHE=1',
    'FAKETIME_DONT_FAKE_MONOTONIC=1',
    'DONT_FAKE_MONOTONIC=1',
  ]
  await writeFile(binary, `#!/bin/sh\nexec env ${settings.join(' ')} ${redisServer} "$@"\n`, { mode: 0o755 })
  return { binary, setAheadSeconds }
}

async function findLibrary(): Promise<string> {
  for (const folder of ['/usr/lib', '/usr/lib64']) {
    const names = await readdir(folder, { recursive: false }).catch(() => [])
    for (const name of ['', ...names]) {
      const candidate = join(folder, name, 'faketime')
      const files = await readdir(candidate).catch(() => [])
      if (files.includes('libfaketimeMT.so.1')) return join(candidate, 'libfaketimeMT.so.1')
    }
  }
  throw new Error('libfaketime is missing, which sets the clock of Redis in these tests: apt-get install libfaketime')
}
