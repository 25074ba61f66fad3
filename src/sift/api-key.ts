import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { ConfigurationError } from '../errors.js'

/** Anything else would break the header that the key is sent in. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/

/**
 * The API key of a lane, which may be replaced while requests run: each request asks for the current one. The key is
 * told to nobody but `authorization`: not to logs, errors, JSON or `util.inspect`.
 */
export class ApiKey {
  #key: string
  readonly #file: string | undefined

  private constructor(key: string, file?: string) {
    this.#key = key
    this.#file = file
  }

  /**
   * A key that never changes.
   * @throws ConfigurationError where it cannot be a key.
   */
  static literal(key: string): ApiKey {
    return new ApiKey(checked(key, 'the API key'))
  }

  /**
   * The key that a file holds, white space around it left out.
   * @throws ConfigurationError where the file cannot be read or holds no key.
   */
  static async fromFile(path: string): Promise<ApiKey> {
    return new ApiKey(await readKey(path), path)
  }

  /** The value of the `Authorization` header. */
  authorization(): string {
    return `Bearer ${this.#key}`
  }

  /**
   * Reads the file again, and tells whether the key has changed. A literal key never has.
   * @throws ConfigurationError where the file cannot be read or holds no key; the key of before stays in use.
   */
  async reload(): Promise<boolean> {
    if (this.#file === undefined) return false
    const before = this.#key
    this.#key = await readKey(this.#file)
    return this.#key !== before
  }

  toString(): string {
    return '[API key]'
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }
}

async function readKey(path: string): Promise<string> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ConfigurationError([`the API key's file cannot be read: ${why}`])
  }
  return checked(text, `the API key in ${path}`)
}

function checked(text: string, what: string): string {
  const key = text.trim()
  if (key === '') throw new ConfigurationError([`${what} is empty`])
  if (!VISIBLE_ASCII.test(key)) {
    throw new ConfigurationError([`${what} has characters that no key has: only visible ASCII is allowed`])
  }
  return key
}
