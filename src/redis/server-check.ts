import type { Redis } from 'ioredis'
import { ConfigurationError } from '../errors.js'
import { isNoPermission } from './trouble.js'

/** Older ones lack commands that BullMQ and the scripts use. */
const LEAST_VERSION = [6, 2] as const

/** What matters here of a Redis server's set-up. */
export interface ServerSetup {
  readonly version: string
  readonly isTooOld: boolean
  /** `noeviction` is the only one that loses nothing; null: not told. */
  readonly evictionPolicy: string | null
  readonly persistence: 'append-only' | 'snapshots' | 'none' | 'unknown'
  /** When the append-only file reaches the disk: always, everysec or no; null: not told. */
  readonly appendfsync: string | null
  /** The user may not ask for settings, which is another thing than a server that tells none. */
  readonly mayNotAsk: boolean
  /** It takes no writes. */
  readonly isReadOnlyReplica: boolean
  /** Bytes; a limit of 0: none. */
  readonly memory: { readonly used: number; readonly limit: number }
}

/** Asks a server for its set-up, and changes nothing. What a managed Redis does not tell is null or unknown. */
export async function readServerSetup(redis: Redis): Promise<ServerSetup> {
  const info = readInfo(await redis.info())
  const { settings: configured, mayNotAsk } = await readSettings(redis, ['appendfsync', 'save'])
  const version = info.get('redis_version') ?? 'unknown'
  return {
    version,
    isTooOld: isOlderThan(version, LEAST_VERSION),
    evictionPolicy: info.get('maxmemory_policy') ?? null,
    persistence: readPersistence(info.get('aof_enabled'), configured.get('save')),
    appendfsync: configured.get('appendfsync') ?? null,
    mayNotAsk,
    isReadOnlyReplica: info.get('role') === 'slave' && info.get('slave_read_only') !== '0',
    memory: { used: Number(info.get('used_memory') ?? 0), limit: Number(info.get('maxmemory') ?? 0) },
  }
}

/**
 * Refuses a server that is too old.
 * @throws ConfigurationError
 */
export function refuseOldServer({ version, isTooOld }: ServerSetup): void {
  if (!isTooOld) return
  const least = LEAST_VERSION.join('.')
  throw new ConfigurationError([`Redis is of version ${version}, and at least ${least} is needed. Upgrade it.`])
}

/** Whether the server may drop pending updates when its memory is full. */
export function mayEvict(setup: ServerSetup): setup is ServerSetup & { readonly evictionPolicy: string } {
  return setup.evictionPolicy !== null && setup.evictionPolicy !== 'noeviction'
}

function readInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(':')
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : []
    }),
  )
}

async function readSettings(
  redis: Redis,
  names: readonly string[],
): Promise<{ readonly settings: ReadonlyMap<string, string>; readonly mayNotAsk: boolean }> {
  const settings = new Map<string, string>()
  let mayNotAsk = false
  for (const name of names) {
    // Managed servers know no CONFIG, and a user's rights may not reach so far.
    const reply = await redis.config('GET', name).catch((error: unknown) => {
      mayNotAsk ||= isNoPermission(error)
      return []
    })
    const [, value] = reply as string[]
    if (value !== undefined) settings.set(name, value)
  }
  return { settings, mayNotAsk }
}

function readPersistence(aofEnabled: string | undefined, save: string | undefined): ServerSetup['persistence'] {
  if (aofEnabled === '1') return 'append-only'
  if (save === undefined) return 'unknown'
  return save === '' ? 'none' : 'snapshots'
}

function isOlderThan(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, foundMajor, foundMinor] = /^(\d+)\.(\d+)/.exec(version) ?? []
  // An unknown version is a fork's or a proxy's: what it lacks will show.
  if (foundMajor === undefined) return false
  return Number(foundMajor) < major || (Number(foundMajor) === major && Number(foundMinor) < minor)
}
