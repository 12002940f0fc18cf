/**
 * Binary strings: one character is one byte (latin1). The data plane keeps everything that came from or goes to a
 * socket in this form; text of the configuration becomes it once, at load.
 */

/** A buffer without bytes, for whoever needs one. */
export const NO_BYTES: Buffer = Buffer.alloc(0)

/** A byte that is no UTF-8 is this and the byte in text that `decodeText` (text.ts) has made. */
export const KEPT_BYTE = 0xdc00

/**
 * Returns the bytes of `text` as a binary string: its UTF-8, and the bytes that `decodeText` kept; plain ASCII is returned
 * as it is.
 */
export function toBinary(text: string): string {
  if (isAscii(text)) return text
  if (text.isWellFormed()) return Buffer.from(text, 'utf8').latin1Slice()
  return text.replace(LONE_OR_NOT_ASCII, (part) => {
    const code = part.charCodeAt(0)
    if (code >= KEPT_BYTE + 0x80 && code <= KEPT_BYTE + 0xff) return String.fromCharCode(code - KEPT_BYTE)
    return Buffer.from(part, 'utf8').latin1Slice()
  })
}
const LONE_OR_NOT_ASCII = /[\ud800-\udbff][\udc00-\udfff]|[^\x00-\x7f]/g

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
function isBinary(text: string): boolean {
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
