import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

/**
 * One Lua file and its typed caller. The names in `keys` and `args` are those of the header of the file, in order; a
 * test compares them, so that they can't drift. What comes after the named ones (a batch, a list of fields) is `rest`.
 *
 * A line `-- @include ../folder/name.lua` is replaced by that file, so that scripts share their rules.
 */
export class Script<Key extends string, Arg extends string> {
  readonly source: string
  readonly file: URL
  readonly keys: readonly Key[]
  readonly args: readonly Arg[]
  /** By which Redis knows the script once it is loaded. */
  readonly sha1: string

  constructor(file: URL, keys: readonly Key[], args: readonly Arg[]) {
    this.file = file
    this.keys = keys
    this.args = args
    this.source = readWithIncludes(file)
    this.sha1 = createHash('sha1').update(this.source).digest('hex')
  }

  /** Runs the script. The reply is as Redis gives it: the caller of each script gives it its shape. */
  async run(
    redis: Redis,
    keys: Readonly<Record<Key, string>>,
    args: Readonly<Record<Arg, string | number>>,
    rest: { keys?: readonly string[]; args?: readonly (string | number)[] } = {},
  ): Promise<unknown> {
    const allKeys = [...this.keys.map((name) => keys[name]), ...(rest.keys ?? [])]
    const all = [...allKeys, ...this.args.map((name) => args[name]), ...(rest.args ?? [])]
    try {
      return await redis.evalsha(this.sha1, allKeys.length, ...all)
    } catch (error) {
      // Redis forgets its scripts when it restarts, and a replica that takes over may never have had them.
      if (error instanceof Error && error.message.startsWith('NOSCRIPT')) {
        return await redis.eval(this.source, allKeys.length, ...all)
      }
      throw error
    }
  }
}

function readWithIncludes(file: URL, seen = new Set<string>()): string {
  seen.add(file.href)
  return readFileSync(file, 'utf8').replace(/^-- @include (\S+)$/gm, (_line, path: string) => {
    const included = new URL(path, file)
    return seen.has(included.href) ? '' : readWithIncludes(included, seen)
  })
}
