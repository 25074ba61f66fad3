import { existsSync, readFileSync } from 'node:fs'
import type { RejectionCode } from '../../src/errors.js'
import type { FieldPath } from '../../src/run/fields.js'
import type { Writes } from '../../src/run/parse.js'
import type { PatchBody } from '../../src/run/patch.js'
import type { Answer } from '../../src/sift/answer.js'

/** The copies that travel with the code, and the originals that a checkout may have beside it. */
export const COPIES = new URL('../vectors/', import.meta.url)
export const ORIGINALS = new URL('../../../shared/vectors/', import.meta.url)

export const VECTOR_NAMES = ['parse', 'patch', 'coalesce', 'flush', 'classify'] as const

type Status = 'accepted' | 'stale' | 'conflict'
type Case<Shape> = { readonly name: string } & Readonly<Shape>

/** What one case of each file looks like; the `about` of the file says what it means. */
interface Cases {
  parse: Case<
    ({ input: unknown; inputText?: never } | { input?: never; inputText: string }) & {
      expect: { ok: true; runId: string; writes: Writes } | { ok: false; code: RejectionCode; path: string }
    }
  >
  patch: Case<{ runId: string; writes: Writes; body: PatchBody }>
  coalesce: Case<{
    updates: readonly unknown[]
    clock?: readonly string[]
    ties?: readonly number[]
    results: readonly Status[]
    stale?: readonly (readonly FieldPath[])[]
    conflicts?: readonly (readonly FieldPath[])[]
    pending: Writes
  }>
  flush: Case<{ steps: readonly FlushStep[]; pending: Writes | null }>
  classify: Case<{
    response: Answer
    now?: string
    expect: { kind: string; reason?: string; waitMs?: number }
  }>
}

export type FlushStep =
  | {
      readonly do: 'merge'
      readonly update: unknown
      readonly result: Status
      readonly addJob?: boolean
      readonly as?: string
    }
  | {
      readonly do: 'claim'
      readonly owner: string
      readonly generation?: string
      readonly writes: Writes
      readonly refused?: never
    }
  | {
      readonly do: 'claim'
      readonly owner: string
      readonly generation?: string
      readonly writes?: never
      readonly refused: 'leased' | 'superseded'
    }
  | { readonly do: 'settle' | 'setAside'; readonly paths: readonly FieldPath[] }
  | { readonly do: 'release'; readonly owner: string; readonly generation?: string; readonly opensGeneration: boolean }
  | { readonly do: 'defer'; readonly owner: string; readonly lease: 'now' | 'grace' }
  | { readonly do: 'wait'; readonly for: 'lease' }
  | { readonly do: 'reopen'; readonly expect: string; readonly opensGeneration: boolean }
  | { readonly do: 'redrive'; readonly of: string; readonly result: Status }

/** The cases of one file: of the original where there is one, else of the copy. */
export function loadVectors<Name extends keyof Cases>(
  name: Name,
): { readonly about: string; readonly cases: readonly Cases[Name][] } {
  const original = new URL(`${name}.json`, ORIGINALS)
  const file = existsSync(original) ? original : new URL(`${name}.json`, COPIES)
  return JSON.parse(readFileSync(file, 'utf8'))
}
