/**
 * A stream of numbers in [0, 1) that `seed` and `key` determine. The key names one request (its run, and which one of
 * that run it is), so that a replay draws the same faults for it however the requests of different runs interleave.
 */
export function seededDraws(seed: number, key: string): () => number {
  let state = seed | 0
  for (let index = 0; index < key.length; index += 1) state = scramble(state ^ key.charCodeAt(index))
  return () => {
    state = scramble(state)
    return (state >>> 0) / 2 ** 32
  }
}

/** Moves on and mixes: each bit of the input reaches every bit of the output, and no two inputs have the same one. */
function scramble(state: number): number {
  let mixed = (state + 0x9e3779b9) | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
