import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { isAnswer, isFull, isOfScript, isReadOnly } from './trouble.js'

/** Writes only where the key is there, so nothing; its user needs the right to write all the same. */
const WRITE_NOTHING = "return redis.call('SET', KEYS[1], '', 'XX')"
const WRITE_NOTHING_SHA1 = createHash('sha1').update(WRITE_NOTHING).digest('hex')

/** What a server does not let its user do. */
export interface RefusedRight {
  readonly right: string
  /** The server's own words. */
  readonly message: string
}

/**
 * Tries what no part of this program can do without, and changes nothing but the server's cache of scripts.
 * @param unusedKey one of the lane that nobody ever writes
 */
export async function findRefusedRights(redis: Redis, unusedKey: string): Promise<readonly RefusedRight[]> {
  const refused: RefusedRight[] = []
  const tryRight = async (right: string, use: () => Promise<unknown>): Promise<void> => {
    try {
      await use()
    } catch (error) {
      // These are no matter of rights, and told elsewhere.
      if (isFull(error) || isReadOnly(error)) return
      if (!isAnswer(error)) throw error
      // Where in the script it was, is of no use.
      const message = error.message.replace(/ script: [0-9a-f]{40}.*/s, '')
      refused.push({ right: isOfScript(error) ? `SET in ${right}` : right, message })
    }
  }
  // BullMQ asks for the version before it does anything.
  await tryRight('INFO', () => redis.info('server'))
  await tryRight('TIME', () => redis.time())
  await tryRight('SCRIPT LOAD', () => redis.script('LOAD', WRITE_NOTHING))
  await tryRight('EVAL', () => redis.eval(WRITE_NOTHING, 1, unusedKey))
  await tryRight('EVALSHA', () => redis.evalsha(WRITE_NOTHING_SHA1, 1, unusedKey))
  return refused
}
