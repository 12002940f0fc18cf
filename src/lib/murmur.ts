/** MurmurHash2 with seed 0 over binary strings: `split_clients` must put a client where nginx would. */

const M = 0x5bd1e995

/** Returns the unsigned 32-bit hash of the bytes of `text`. */
export function murmurHash2(text: string): number {
  const tail = text.length & ~3
  let hash = text.length
  for (let at = 0; at < tail; at += 4) {
    let word =
      text.charCodeAt(at) |
      (text.charCodeAt(at + 1) << 8) |
      (text.charCodeAt(at + 2) << 16) |
      (text.charCodeAt(at + 3) << 24)
    word = Math.imul(word, M)
    word = Math.imul(word ^ (word >>> 24), M)
    hash = Math.imul(hash, M) ^ word
  }
  const rest = text.length - tail
  if (rest > 0) {
    for (let i = rest - 1; i >= 0; i--) hash ^= text.charCodeAt(tail + i) << (8 * i)
    hash = Math.imul(hash, M)
  }
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return (hash ^ (hash >>> 15)) >>> 0
}
