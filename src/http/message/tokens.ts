/**
 * Byte tables of the HTTP/1 wire: which byte may stand where. Everything that scans bytes looks them up here, so that
 * a rule about a byte is written once. The tables are shared and must not be changed after load.
 */

/** Carriage return. */
export const CR = 0x0d
/** Line feed. */
export const LF = 0x0a
/** The space that separates the parts of a request line. */
export const SPACE = 0x20
/** The byte between a field name and its value. */
export const COLON = 0x3a

/** Maps a byte to itself with `A-Z` in lower case; unlike `| 0x20` it leaves `_`, `@` and control bytes alone. */
export const FOLD: Uint8Array = table((byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte))

/** Maps a byte of an ordinary field name (letter, digit, `-`) to its lower case; every other byte to 0. */
export const NAME: Uint8Array = table((byte) => (isAlnum(byte) || byte === 0x2d ? FOLD[byte]! : 0))

/** 1 for a byte that may stand inside a field value: visible, space, tab, or above 0x7f. */
export const VALUE: Uint8Array = table((byte) => (byte === 0x09 || (byte >= 0x20 && byte !== 0x7f) ? 1 : 0))

/** 1 for a byte that may stand in a method: nginx takes upper-case letters, `_` and `-`. */
export const METHOD: Uint8Array = table((byte) =>
  (byte >= 0x41 && byte <= 0x5a) || byte === 0x5f || byte === 0x2d ? 1 : 0,
)

/** 1 for a byte of a path that needs no attention; 0 for `space # % + . / ?`, control bytes and DEL. */
export const PATH: Uint8Array = table((byte) =>
  byte > 0x20 && byte !== 0x7f && !'#%+./?'.includes(String.fromCharCode(byte)) ? 1 : 0,
)

/** 1 for a byte of the rest of a target (after `?`, or once the path is known to need work); 0 for space, `#`, control bytes. */
export const TARGET: Uint8Array = table((byte) => (byte > 0x20 && byte !== 0x7f && byte !== 0x23 ? 1 : 0))

/** 1 for letters, digits, `.` and `-`: what nginx takes in the host of a request line. */
export const HOST: Uint8Array = table((byte) => (isAlnum(byte) || byte === 0x2e || byte === 0x2d ? 1 : 0))

/** Maps a hexadecimal digit to its value, any other byte to -1. */
export const HEX: Int8Array = Int8Array.from({ length: 256 }, (_, byte) => hexValue(byte))

/** Tells whether `byte` is an ASCII letter or digit. */
export function isAlnum(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || isAlpha(byte)
}

/** Tells whether `byte` is an ASCII letter. */
export function isAlpha(byte: number): boolean {
  return (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
}

function table(of: (byte: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => of(byte))
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
