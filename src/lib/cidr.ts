/**
 * Address ranges such as `10.0.0.0/8`, and lists of them matched on address bytes (see ip.ts). An IPv4-mapped IPv6
 * address is matched as IPv4, as in nginx; the empty address stands for a UNIX socket.
 */
import { parseIp, unmapIp } from './ip.ts'

/** One range; made by `parseCidr` or `UNIX_CIDR`. */
export interface Cidr {
  /** Bytes of an address: 4, 16, or 0 for UNIX sockets. */
  readonly size: number
  /** The network as 32-bit words, already masked. */
  readonly words: readonly number[]
  readonly masks: readonly number[]
  readonly bits: number
  /** True when the text had bits set below the mask: nginx warns "low address bits of ... are meaningless". */
  readonly lowBits: boolean
}

/** Matches peers that are UNIX sockets. */
export const UNIX_CIDR: Cidr = { size: 0, words: [], masks: [], bits: 0, lowBits: false }

/** Parses `address` or `address/bits`; undefined when it is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const bytes = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (bytes === undefined) return undefined
  const digits = text.slice(slash + 1)
  if (slash >= 0 && !/^\d{1,9}$/.test(digits)) return undefined
  const bits = slash < 0 ? bytes.length * 8 : Number(digits)
  if (bits > bytes.length * 8) return undefined
  const given = wordsOf(bytes)
  const masks = given.map((_, i) => maskOf(bits - i * 32))
  const words = given.map((word, i) => word & masks[i]!)
  return { size: bytes.length, words, masks, bits, lowBits: words.some((word, i) => word !== given[i]) }
}

/** Tells whether the address is inside the range. */
export function matchCidr(cidr: Cidr, address: string): boolean {
  return matches(cidr, unmapIp(address))
}

/** Returns the index of the first range that holds the address, or -1. */
export function findCidr(list: readonly Cidr[], address: string): number {
  const bytes = unmapIp(address)
  for (let i = 0; i < list.length; i++) if (matches(list[i]!, bytes)) return i
  return -1
}

function matches(cidr: Cidr, bytes: string): boolean {
  if (cidr.size !== bytes.length) return false
  for (let i = 0; i < cidr.words.length; i++) {
    if ((wordAt(bytes, i * 4) & cidr.masks[i]!) !== cidr.words[i]) return false
  }
  return true
}

function wordsOf(bytes: string): number[] {
  const words: number[] = []
  for (let at = 0; at < bytes.length; at += 4) words.push(wordAt(bytes, at))
  return words
}

function wordAt(bytes: string, at: number): number {
  return (
    (bytes.charCodeAt(at) << 24) |
    (bytes.charCodeAt(at + 1) << 16) |
    (bytes.charCodeAt(at + 2) << 8) |
    bytes.charCodeAt(at + 3)
  )
}

function maskOf(bits: number): number {
  if (bits >= 32) return -1
  return bits <= 0 ? 0 : -1 << (32 - bits)
}
