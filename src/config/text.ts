/**
 * Bytes of configuration files as JavaScript text, without loss: UTF-8 is decoded, and a byte that is not part of valid
 * UTF-8 becomes the lone surrogate U+DC00 + byte, which no valid text contains. `toBinary` gives the bytes back.
 */

const ESCAPED = 0xdc00
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes a file's bytes; never fails. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    return decodeBroken(bytes)
  }
}

/** Returns the bytes of a decoded text as a binary string (one character per byte), as the data plane wants them. */
export function toBinary(text: string): string {
  if (!/[^\x00-\x7f]/.test(text)) return text
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]|[^\x00-\x7f]/g, (ch) => {
    const code = ch.charCodeAt(0)
    if (ch.length === 1 && code >= 0xdc80 && code <= 0xdcff) return String.fromCharCode(code - ESCAPED)
    return Buffer.from(ch, 'utf8').toString('latin1')
  })
}

function decodeBroken(bytes: Uint8Array): string {
  let out = ''
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i)
    out += length === 0 ? String.fromCharCode(ESCAPED + bytes[i]!) : strict.decode(bytes.subarray(i, i + length))
    i += Math.max(length, 1)
  }
  return out
}

/** Length of the valid UTF-8 sequence at `i`, or 0. */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const first = bytes[i]!
  const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0
  if (length < 2) return length
  try {
    strict.decode(bytes.subarray(i, i + length))
    return length
  } catch {
    return 0
  }
}
