/**
 * IP addresses between text and bytes. The byte form is a binary string of 4 or 16 characters (network order), which is
 * what `$binary_remote_addr` is and what hash keys and comparisons want.
 */

/** The twelve bytes before an IPv4 address in an IPv4-mapped IPv6 address. */
const MAPPED = '\0\0\0\0\0\0\0\0\0\0\xff\xff'

/** Parses IPv4 or IPv6 text (no brackets, no zone) to its bytes; undefined when it is neither. */
export function parseIp(text: string): string | undefined {
  return parseIpv4(text) ?? parseIpv6(text)
}

/** Parses four decimal octets. As in nginx an octet may have leading zeros; unlike there it may not be empty. */
export function parseIpv4(text: string): string | undefined {
  let octet = -1
  let dots = 0
  let address = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e) {
      if (octet < 0 || ++dots > 3) return undefined
      address = (address << 8) | octet
      octet = -1
      continue
    }
    if (code < 0x30 || code > 0x39) return undefined
    octet = (octet < 0 ? 0 : octet * 10) + code - 0x30
    if (octet > 255) return undefined
  }
  if (dots !== 3 || octet < 0) return undefined
  return String.fromCharCode((address >> 16) & 255, (address >> 8) & 255, address & 255, octet)
}

/** Parses IPv6 text, with or without an IPv4 tail. */
export function parseIpv6(text: string): string | undefined {
  const gap = text.indexOf('::')
  if (gap < 0) {
    const all = groups(text)
    return all?.length === 16 ? all : undefined
  }
  const head = gap === 0 ? '' : groups(text.slice(0, gap), false)
  const tail = gap + 2 === text.length ? '' : groups(text.slice(gap + 2))
  if (head === undefined || tail === undefined || head.length + tail.length > 14) return undefined
  return head + '\0'.repeat(16 - head.length - tail.length) + tail
}

/** Returns the address as nginx prints it: lower case, the first longest run of zero groups shortened. */
export function formatIp(bytes: string): string {
  return bytes.length === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes)
}

/** Returns the IPv4 bytes inside an IPv4-mapped IPv6 address, and any other address as it is. */
export function unmapIp(bytes: string): string {
  return bytes.length === 16 && bytes.startsWith(MAPPED) ? bytes.slice(12) : bytes
}

function groups(text: string, ipv4Allowed = true): string | undefined {
  const words = text.split(':')
  let bytes = ''
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (/^[0-9a-fA-F]{1,4}$/.test(word)) {
      const value = Number.parseInt(word, 16)
      bytes += String.fromCharCode(value >> 8, value & 255)
    } else {
      const tail = ipv4Allowed && i === words.length - 1 ? parseIpv4(word) : undefined
      if (tail === undefined) return undefined
      bytes += tail
    }
  }
  return bytes
}

function formatIpv4(bytes: string, at: number): string {
  const c = (i: number): number => bytes.charCodeAt(at + i)
  return `${c(0)}.${c(1)}.${c(2)}.${c(3)}`
}

function formatIpv6(bytes: string): string {
  const words: number[] = []
  for (let i = 0; i < 16; i += 2) words.push((bytes.charCodeAt(i) << 8) | bytes.charCodeAt(i + 1))
  const { at, count } = longestZeroRun(words)
  // Mapped and compatible addresses end in dotted form; the last test is nginx's, which so keeps `::1` and `::` short.
  const dotted =
    at === 0 &&
    ((count === 5 && words[5] === 0xffff) ||
      count === 6 ||
      (count === 7 && bytes.charCodeAt(14) !== 0 && bytes.charCodeAt(15) !== 1))
  const end = dotted ? 6 : 8
  let text = at === 0 ? ':' : ''
  for (let i = 0; i < end; i++) {
    if (i === at) {
      text += ':'
      i += count - 1
      continue
    }
    text += words[i]!.toString(16) + (i < 7 ? ':' : '')
  }
  return dotted ? text + formatIpv4(bytes, 12) : text
}

function longestZeroRun(words: readonly number[]): { at: number; count: number } {
  let at = -1
  let count = 1
  for (let i = 0; i < words.length; ) {
    let end = i
    while (end < words.length && words[end] === 0) end++
    if (end - i > count) {
      at = i
      count = end - i
    }
    i = end + 1
  }
  return { at, count }
}
