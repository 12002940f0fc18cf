/** The alphabet of crypt(3): not that of Base64, and least significant bits first. */

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Writes the lowest bits of `value` as `count` characters of six bits. */
export function encode24(value: number, count: number): string {
  let text = ''
  for (let i = 0; i < count; i++) text += ALPHABET[(value >>> (6 * i)) & 63]!
  return text
}

/** One character for six bits. */
export function encode6(value: number): string {
  return ALPHABET[value & 63]!
}

/** Reads one character; -1 when it is not of the alphabet. */
export function decode6(character: string): number {
  return character === '' ? -1 : ALPHABET.indexOf(character)
}
