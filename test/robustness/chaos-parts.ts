/** What the chaos test and its back ends have in common: bodies that can be checked, and repeatable chance. */

/** The only right body for a request: between some and some ten thousand bytes, made from its id. */
export function bodyOf(id: string): string {
  return `<${id}>`.repeat(200 + (Number(id) % 7) * 1500)
}

/** Returns a function that gives the same numbers from 0 to 1 for the same seed (xorshift). */
export function randomFrom(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 0x1_0000_0000
  }
}
