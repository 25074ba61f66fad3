import { parseStamp, type Write } from '../../../src/pending/entry.js'

/** A refused write. */
export interface Letter {
  readonly runId: string
  readonly write: Write & { readonly stamp: string }
  /** It was in conflict when it was merged, so it was never taken. */
  readonly wasInConflict: boolean
}

/** The dead letters of a lane, each of one write, as their queue would hold them. */
export class Letters {
  readonly #present = new Map<string, Letter>()
  readonly #cutOff = new Set<Letter>()
  readonly #joined: Letter[] = []

  /** The same refusal again is the same letter. */
  record(letter: Letter): void {
    const { sequence, redrives } = orderOf(letter.write)
    const id = `${letter.runId} ${letter.write.path} ${sequence} ${redrives}`
    if (!this.#present.has(id)) this.#present.set(id, letter)
  }

  get all(): Letter[] {
    return [...this.#present.values()]
  }

  remove(letter: Letter): void {
    for (const [id, present] of this.#present) if (present === letter) this.#present.delete(id)
  }

  /** Its writes were merged, and then a crash came: it is still there, and is redriven once more. */
  cutOff(letter: Letter): void {
    this.#cutOff.add(letter)
  }

  isCutOff(letter: Letter): boolean {
    return this.#cutOff.has(letter)
  }

  /** A client key was redriven while the same one was pending: what becomes of that one becomes of it. */
  join(letter: Letter): void {
    this.#joined.push(letter)
  }

  /** The writes that Sift has refused for good. */
  get refused(): Letter[] {
    const isRefused = (joined: Letter) => this.all.some((letter) => isSameWrite(letter, joined))
    return [...this.all, ...this.#joined.filter(isRefused)]
  }
}

export function orderOf({ stamp }: { readonly stamp: string }) {
  const order = parseStamp(stamp)
  if (!order) throw new Error(`"${stamp}" is no stamp`)
  return order
}

const isSameWrite = (a: Letter, b: Letter): boolean =>
  a.runId === b.runId && a.write.path === b.write.path && a.write.json === b.write.json
