/**
 * Finds the first of several byte patterns, without regard to case of ASCII letters. A table tells how far the window of
 * the shortest pattern's length may jump by the byte at its end (Horspool), so that most bytes are never looked at.
 */

/** `find`: none of the patterns is there, nor the beginning of one at the end. */
export const NOT_FOUND = 0
/** `find`: pattern `index` stands at `start`. */
export const FOUND = 1
/** `find`: from `start` to the end there could be the beginning of a pattern. */
export const PARTLY = 2

/** Patterns that differ only by their place in the list: where several fit, the first one wins. */
export class PatternFinder {
  /** In lower case. */
  readonly #patterns: readonly Buffer[]
  readonly #lengthMin: number
  readonly #shift: Uint8Array
  /** For each byte the patterns that have it where the window ends. */
  readonly #candidates: readonly (readonly number[])[]
  /** Outcome of the last `find`. */
  start = 0
  index = 0

  /** `patterns` are binary strings, none of them empty. */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => Buffer.from(pattern, 'latin1').map(fold) as Buffer)
    const min = Math.min(...this.#patterns.map(({ length }) => length))
    this.#lengthMin = min
    const jump = Math.min(min, 255)
    this.#shift = new Uint8Array(256).fill(jump)
    const candidates = Array.from({ length: 256 }, (): number[] => [])
    for (const [number, pattern] of this.#patterns.entries()) {
      for (let back = 0; back < jump; back++) {
        for (const byte of bothCases(pattern[min - 1 - back]!)) {
          this.#shift[byte] = Math.min(this.#shift[byte]!, back)
        }
      }
      for (const byte of bothCases(pattern[min - 1]!)) candidates[byte]!.push(number)
    }
    this.#candidates = candidates
  }

  get count(): number {
    return this.#patterns.length
  }

  /** Looks into `bytes[from, end)` for patterns that `skip` does not name. */
  find(bytes: Uint8Array, from: number, skip: Uint8Array): number {
    const end = bytes.length
    const min = this.#lengthMin
    let at = from + min - 1
    while (at < end) {
      const byte = bytes[at]!
      const jump = this.#shift[byte]!
      if (jump > 0) {
        at += jump
        continue
      }
      const start = at - min + 1
      for (const number of this.#candidates[byte]!) {
        if (skip[number] === 1) continue
        const outcome = this.#compare(bytes, start, number)
        if (outcome !== NOT_FOUND) return outcome
      }
      at++
    }
    return this.#tail(bytes, Math.max(from, at - min + 1), skip)
  }

  /** The last bytes, fewer than any pattern has: could they be the beginning of one? */
  #tail(bytes: Uint8Array, from: number, skip: Uint8Array): number {
    for (let start = from; start < bytes.length; start++) {
      for (let number = 0; number < this.#patterns.length; number++) {
        if (skip[number] !== 1 && this.#compare(bytes, start, number) === PARTLY) return PARTLY
      }
    }
    return NOT_FOUND
  }

  #compare(bytes: Uint8Array, start: number, number: number): number {
    const pattern = this.#patterns[number]!
    const length = Math.min(pattern.length, bytes.length - start)
    for (let i = 0; i < length; i++) if (fold(bytes[start + i]!) !== pattern[i]) return NOT_FOUND
    this.start = start
    this.index = number
    return length === pattern.length ? FOUND : PARTLY
  }

  /** The length of a pattern. */
  lengthOf(index: number): number {
    return this.#patterns[index]!.length
  }
}

function fold(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}

function bothCases(lower: number): readonly number[] {
  return lower >= 0x61 && lower <= 0x7a ? [lower, lower & ~0x20] : [lower]
}
