/**
 * Binary strings: one character is one byte (latin1). The data plane keeps everything that came from or goes to a
 * socket in this form; text of the configuration becomes it once, at load.
 */

/** A buffer without bytes, for whoever needs one. */
export const NO_BYTES: Buffer = Buffer.alloc(0)

/** Returns the UTF-8 bytes of `text` as a binary string; plain ASCII is returned as it is. */
export function toBinary(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** Returns the text whose UTF-8 bytes are `binary`; bytes that are not UTF-8 become U+FFFD. */
export function fromBinary(binary: string): string {
  return isAscii(binary) ? binary : Buffer.from(binary, 'latin1').toString('utf8')
}

/** Returns the bytes to write for `text`: a binary string as it is, any other text as UTF-8. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, isBinary(text) ? 'latin1' : 'utf8')
}

/** Returns a binary string that is UTF-8: what is none becomes U+FFFD. */
export function soundUtf8(binary: string): string {
  if (isAscii(binary)) return binary
  return Buffer.from(Buffer.from(binary, 'latin1').toString('utf8'), 'utf8').latin1Slice()
}

/** Tells whether every character of `text` is one byte. */
export function isBinary(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false
  return true
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

const UPPER = /[A-Z]/

/** Lowers `A` to `Z` only: bytes above 0x7f are no letters in a binary string, and String's own method changes them. */
export function lowerAscii(text: string): string {
  return UPPER.test(text) ? text.replace(UPPER_RUNS, lowerRun) : text
}
const UPPER_RUNS = /[A-Z]+/g

function lowerRun(run: string): string {
  return run.toLowerCase()
}
