/**
 * The request methods that nginx knows, as the same bits that nginx uses, so that a set of methods (`limit_except`,
 * `dav_methods`, `proxy_cache_methods`) is one mask. A method that is not in the list is UNKNOWN and keeps its text.
 */

/** Any method that has no bit of its own. */
export const UNKNOWN = 0x1
/** The bit of GET. */
export const GET = 0x2
/** The bit of HEAD. */
export const HEAD = 0x4
/** The bit of POST. */
export const POST = 0x8
/** The bit of PUT. */
export const PUT = 0x10
/** The bit of DELETE. */
export const DELETE = 0x20
/** The bit of MKCOL. */
export const MKCOL = 0x40
/** The bit of COPY. */
export const COPY = 0x80
/** The bit of MOVE. */
export const MOVE = 0x100
/** The bit of OPTIONS. */
export const OPTIONS = 0x200
/** The bit of TRACE. */
export const TRACE = 0x8000
/** The bit of CONNECT. */
export const CONNECT = 0x10000

/** The bit of LOCK. */
export const LOCK = 0x1000
/** The bit of PATCH. */
export const PATCH = 0x4000

/** Every known method and its bit. */
export const METHODS: ReadonlyMap<string, number> = new Map([
  ['GET', GET],
  ['HEAD', HEAD],
  ['POST', POST],
  ['PUT', PUT],
  ['DELETE', DELETE],
  ['MKCOL', MKCOL],
  ['COPY', COPY],
  ['MOVE', MOVE],
  ['OPTIONS', OPTIONS],
  ['PROPFIND', 0x400],
  ['PROPPATCH', 0x800],
  ['LOCK', LOCK],
  ['UNLOCK', 0x2000],
  ['PATCH', PATCH],
  ['TRACE', TRACE],
  ['CONNECT', CONNECT],
])

/** Gives the bit of a method name (case-sensitive), or UNKNOWN. */
export function methodBit(name: string): number {
  return METHODS.get(name) ?? UNKNOWN
}

const NAMES: readonly string[] = names()

/** Gives the name of a known method's bit, or an empty string. */
export function methodName(bit: number): string {
  return NAMES[31 - Math.clz32(bit)] ?? ''
}

function names(): string[] {
  const list: string[] = []
  for (const [name, bit] of METHODS) list[31 - Math.clz32(bit)] = name
  return Array.from(list, (name) => name ?? '')
}
