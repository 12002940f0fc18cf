/** What the upheaval test and its back end have in common: bodies that are nowhere alike, and their checksums. */
import { createHash } from 'node:crypto'

/** Bodies are parts of this much. */
export const BODY_MAX = 3_000_000
const SEEDS = 8

const bodies = Array.from({ length: SEEDS }, (_, seed) => {
  const words = new Uint32Array(BODY_MAX / 4)
  let x = seed * 2_654_435_761 + 12_345
  for (let i = 0; i < words.length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0
    words[i] = x
  }
  return Buffer.from(words.buffer)
})
const sums = new Map<string, string>()

/** The first bytes of a body. */
export function bodyOf(seed: number, size: number): Buffer {
  return bodies[seed % SEEDS]!.subarray(0, size)
}

/** The checksum of a body. */
export function sumOf(seed: number, size: number): string {
  const key = `${seed % SEEDS} ${size}`
  let sum = sums.get(key)
  if (sum === undefined) {
    sum = createHash('sha1').update(bodyOf(seed, size)).digest('hex')
    sums.set(key, sum)
  }
  return sum
}

/** A body in pieces of sizes on both sides of all that matters. */
export function* piecesOf(seed: number, size: number, random: () => number): Generator<Buffer> {
  const body = bodyOf(seed, size)
  for (let at = 0; at < size; ) {
    const piece = body.subarray(at, at + 1 + Math.floor(random() ** 3 * 200_000))
    at += piece.length
    yield piece
  }
}
