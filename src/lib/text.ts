/** Bytes as JavaScript text, without loss: for configuration files, state files, and what people are shown. */
import { bytesOf, KEPT_BYTE } from './bytes.ts'

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Decodes UTF-8; a byte that is no part of it becomes the lone surrogate U+DC00 + byte, which no valid text contains, and
 * which `toBinary` (bytes.ts) makes a byte again.
 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes)
  } catch {
    return decodeBroken(bytes)
  }
}

function decodeBroken(bytes: Uint8Array): string {
  let out = ''
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i)
    out += length === 0 ? String.fromCharCode(KEPT_BYTE + bytes[i]!) : STRICT.decode(bytes.subarray(i, i + length))
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
    STRICT.decode(bytes.subarray(i, i + length))
    return length
  } catch {
    return 0
  }
}

/** Decodes text of the server, in which each char is a byte; any other stays as it is. */
export function readable(text: string): string {
  return decodeText(bytesOf(text))
}
