import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

/**
 * One Lua file and its typed caller. The names in `keys` and `args` are those of the header of the file, in order; a
 * test compares them, so that they can't drift. What comes after the named ones (a list of fields, say) is `rest`.
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
    rest: readonly (string | number)[] = [],
  ): Promise<unknown> {
    const all = this.#inOrder(keys, args, rest)
    try {
      return await redis.evalsha(this.sha1, this.keys.length, ...all)
    } catch (error) {
      // Redis forgets its scripts when it restarts, and a replica that takes over may never have had them.
      if (isNotLoaded(error)) return await redis.eval(this.source, this.keys.length, ...all)
      throw error
    }
  }

  /** Hands the script to Redis, for `runLoaded`. */
  async load(redis: Redis): Promise<void> {
    await redis.script('LOAD', this.source)
  }

  /**
   * Runs the script in its turn on the connection, or not at all.
   * @throws what `isNotLoaded` tells, where Redis does not have the script.
   */
  async runLoaded(
    redis: Redis,
    keys: Readonly<Record<Key, string>>,
    args: Readonly<Record<Arg, string | number>>,
  ): Promise<unknown> {
    return await redis.evalsha(this.sha1, this.keys.length, ...this.#inOrder(keys, args, []))
  }

  #inOrder(
    keys: Readonly<Record<Key, string>>,
    args: Readonly<Record<Arg, string | number>>,
    rest: readonly (string | number)[],
  ): (string | number)[] {
    return [...this.keys.map((name) => keys[name]), ...this.args.map((name) => args[name]), ...rest]
  }
}

export function isNotLoaded(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

function readWithIncludes(file: URL, seen = new Set<string>()): string {
  seen.add(file.href)
  return readFileSync(file, 'utf8').replace(/^-- @include (\S+)$/gm, (_line, path: string) => {
    const included = new URL(path, file)
    return seen.has(included.href) ? '' : readWithIncludes(included, seen)
  })
}
