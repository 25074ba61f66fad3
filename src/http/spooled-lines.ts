import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'

const CHUNK_BYTES = 64 * 1024

/**
 * An answer that is written while its request is still being read. Many clients read nothing before they have sent
 * everything: if we waited for them to read, both sides would wait for ever. So what is not read waits in a file that
 * has no name, and memory stays bounded.
 *
 *  - flowing    the reader wants more: text goes to it straight. Left when it has enough.
 *  - spooling   text goes to the file, until the reader has caught up with it.
 */
export class SpooledLines extends Readable {
  #isWanted = false
  #isComplete = false
  #file: FileHandle | undefined
  #readAt = 0
  #writtenTo = 0

  constructor() {
    super({ highWaterMark: CHUNK_BYTES })
  }

  /** One call at a time. Does nothing once the reader is gone. */
  async add(text: string): Promise<void> {
    if (this.destroyed || text === '') return
    if (this.#isWanted && this.#readAt === this.#writtenTo) {
      this.#isWanted = this.push(text)
      return
    }
    const file = await this.#openFile()
    // Meanwhile, before there was a file to close.
    if (this.destroyed) return await file.close()
    const bytes = Buffer.from(text)
    // Destroyed meanwhile: the file is closed, and nobody reads.
    await file.write(bytes, 0, bytes.length, this.#writtenTo).catch((error: Error) => {
      if (!this.destroyed) throw error
    })
    this.#writtenTo += bytes.length
    if (this.#isWanted) this._read()
  }

  /** Nothing more will be added. */
  complete(): void {
    this.#isComplete = true
    if (this.#isWanted) this._read()
  }

  override _read(): void {
    if (this.#readAt < this.#writtenTo) {
      this.#isWanted = false
      this.#readBack().catch((error: Error) => this.destroy(error))
    } else if (this.#isComplete) {
      this.push(null)
    } else {
      this.#isWanted = true
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const closed = this.#file?.close() ?? Promise.resolve()
    closed.then(
      () => callback(error),
      () => callback(error),
    )
  }

  async #readBack(): Promise<void> {
    if (!this.#file) return
    const size = Math.min(CHUNK_BYTES, this.#writtenTo - this.#readAt)
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(size), 0, size, this.#readAt)
    this.#readAt += bytesRead
    this.push(buffer.subarray(0, bytesRead))
  }

  async #openFile(): Promise<FileHandle> {
    if (this.#file) return this.#file
    const path = join(tmpdir(), `sift-run-updater-${randomUUID()}`)
    this.#file = await open(path, 'wx+', 0o600)
    await unlink(path)
    return this.#file
  }
}
