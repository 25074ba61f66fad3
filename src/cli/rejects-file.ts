import { type FileHandle, open } from 'node:fs/promises'
import { OutputFailedError, UsageError } from './exit-codes.js'

/** What tells whether two names lead to one file. */
export interface FileIdentity {
  readonly dev: number
  readonly ino: number
}

/**
 * The file of --rejects. What an earlier run has left in it stays until this one has something to say: a Redis that is
 * away must not cost it.
 */
export class RejectsFile {
  readonly #file: string
  readonly #handle: FileHandle
  #isBegun = false

  private constructor(file: string, handle: FileHandle) {
    this.#file = file
    this.#handle = handle
  }

  /** @throws UsageError where it can't be written, or is the input. */
  static async open(file: string, input: FileIdentity): Promise<RejectsFile> {
    const handle = await open(file, 'a').catch((error: Error) => {
      throw new UsageError(`${file} can't be opened: ${error.message}`, { cause: error })
    })
    const { dev, ino } = await handle.stat()
    if (dev === input.dev && ino === input.ino) {
      await handle.close()
      throw new UsageError(`${file} is the input: name another file for --rejects`)
    }
    return new RejectsFile(file, handle)
  }

  /** Empties it, once. */
  async begin(): Promise<void> {
    if (this.#isBegun) return
    this.#isBegun = true
    if ((await this.#handle.stat()).isFile()) await this.#handle.truncate()
  }

  /** @throws OutputFailedError where the disk is full, say. */
  async add(line: string): Promise<void> {
    try {
      await this.begin()
      await this.#handle.appendFile(`${line}\n`)
    } catch (error) {
      const why = error instanceof Error ? error.message : error
      throw new OutputFailedError(`${this.#file}, the file of --rejects, can't be written: ${why}`, { cause: error })
    }
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}
