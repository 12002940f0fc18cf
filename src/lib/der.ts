/** Reads and writes DER (X.690), as far as certificates, sessions and OCSP need it. Lengths are checked, nothing throws. */

/** One value: its tag, and where its content stands. */
export interface Der {
  readonly tag: number
  /** The first byte of the tag. */
  readonly at: number
  readonly start: number
  readonly end: number
}

/** The tag of its type, as the others here. */
export const INTEGER = 0x02
export const BIT_STRING = 0x03
export const OCTET_STRING = 0x04
export const NULL = 0x05
export const OID = 0x06
export const ENUMERATED = 0x0a
export const GENERALIZED_TIME = 0x18
export const SEQUENCE = 0x30
export const SET = 0x31

/** The tag of `[number]` around another value. */
export function contextTag(number: number): number {
  return 0xa0 + number
}

/** Reads the value at `at`, which ends before `end`; undefined when there is none. */
export function derAt(bytes: Uint8Array, at: number, end: number): Der | undefined {
  if (at + 2 > end) return undefined
  const tag = bytes[at]!
  let size = bytes[at + 1]!
  let start = at + 2
  if (size >= 0x80) {
    const digits = size & 0x7f
    if (digits === 0 || digits > 4 || start + digits > end) return undefined
    size = 0
    for (let i = 0; i < digits; i++) size = size * 256 + bytes[start++]!
  }
  return start + size > end ? undefined : { tag, at, start, end: start + size }
}

/** The values inside of another one; fewer when something is malformed. */
export function derInside(bytes: Uint8Array, outer: Der | undefined): readonly Der[] {
  const found: Der[] = []
  if (outer === undefined) return found
  for (let at = outer.start; at < outer.end; ) {
    const one = derAt(bytes, at, outer.end)
    if (one === undefined) break
    found.push(one)
    at = one.end
  }
  return found
}

/** The whole value with its tag and length. */
export function derBytes(bytes: Buffer, one: Der): Buffer {
  return bytes.subarray(one.at, one.end)
}

/** What stands behind tag and length. */
export function derContent(bytes: Buffer, one: Der): Buffer {
  return bytes.subarray(one.start, one.end)
}

/** `1.2.840.113549`. */
export function oidText(bytes: Uint8Array, { start, end }: Der): string {
  const parts: number[] = []
  let value = 0
  for (let i = start; i < end; i++) {
    value = value * 128 + (bytes[i]! & 0x7f)
    if ((bytes[i]! & 0x80) !== 0) continue
    if (parts.length > 0) parts.push(value)
    else {
      const first = Math.min(2, Math.floor(value / 40))
      parts.push(first, value - first * 40)
    }
    value = 0
  }
  return parts.join('.')
}

/** Makes a value of a tag and the pieces of its content. */
export function derOf(tag: number, ...content: readonly Uint8Array[]): Buffer {
  let size = 0
  for (const piece of content) size += piece.length
  const head = [tag]
  if (size < 0x80) head.push(size)
  else {
    const digits: number[] = []
    for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
    head.push(0x80 + digits.length, ...digits)
  }
  return Buffer.concat([Buffer.from(head), ...content])
}
