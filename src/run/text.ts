import { z } from 'zod'

const LONE_SURROGATE = /\p{Surrogate}/u

/** False where half of a surrogate pair stands alone: a JSON escape can say it, UTF-8 and protobuf cannot. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text)
}

export const HALF_A_CHARACTER = 'it holds half of a surrogate pair, which UTF-8 cannot carry; send whole characters'

/** A string that can be sent. */
export const textSchema = z.string('it must be a string').refine(isWellFormed, HALF_A_CHARACTER)
