/**
 * The header that a load balancer puts before what a client sends, so that the server learns the client's address: the
 * PROXY protocol of HAProxy, versions 1 (text) and 2 (binary). Reads it from whatever pieces the socket delivers.
 */
import { formatIp } from '../lib/ip.ts'

/** `parseProxyHeader`: more bytes are needed. */
export const PROXY_MORE = 0
/** `parseProxyHeader`: not a header; `problem` says why. */
export const PROXY_BROKEN = -1

/** What a header said. Addresses are empty when it names none: a health check of the load balancer itself. */
export interface ProxyHeader {
  source: string
  sourcePort: number
  destination: string
  destinationPort: number
  /** The type-length-values of version 2, one byte per char. */
  tlvs: string
  /** Set with PROXY_BROKEN: what is logged. */
  problem: string
}

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const V1_START = 'PROXY '
/** Longest line of version 1 with its line end. */
const V1_LENGTH_MAX = 107
const V2_HEAD = 16
/** Longest header that is taken (nginx: NGX_PROXY_PROTOCOL_MAX_HEADER). */
const V2_LENGTH_MAX = 4096
const V1 = /^PROXY TCP[46] ([0-9a-f.:]*) ([0-9a-f.:]*) (\d{1,5}) (\d{1,5})\r\n$/i
const PORT_MAX = 65535
const PROXY = 0x21
const STREAM = 1
const INET = 1
const INET6 = 2

/** Makes an empty header to parse into. */
export function proxyHeader(): ProxyHeader {
  return { source: '', sourcePort: 0, destination: '', destinationPort: 0, tlvs: '', problem: '' }
}

/** Reads a header at `start`; returns how many bytes it has, PROXY_MORE or PROXY_BROKEN. */
export function parseProxyHeader(buffer: Buffer, start: number, end: number, into: ProxyHeader): number {
  const text = buffer.latin1Slice(start, Math.min(end, start + V2_LENGTH_MAX))
  if (startsAlike(text, SIGNATURE)) return text.length < V2_HEAD ? PROXY_MORE : parseV2(text, into)
  if (startsAlike(text, V1_START)) return parseV1(text, into)
  return broken(text, into)
}

function startsAlike(text: string, expected: string): boolean {
  return text.length < expected.length ? expected.startsWith(text) : text.startsWith(expected)
}

function broken(text: string, into: ProxyHeader): number {
  into.problem = `broken header: "${text.slice(0, V1_LENGTH_MAX).split(/[\r\n]/, 1)[0]}"`
  return PROXY_BROKEN
}

function parseV1(text: string, into: ProxyHeader): number {
  const length = text.indexOf('\r\n') + 2
  if (length > V1_LENGTH_MAX) return broken(text, into)
  if (length < 2) return text.length < V1_LENGTH_MAX ? PROXY_MORE : broken(text, into)
  const line = text.slice(0, length)
  if (line.startsWith('PROXY UNKNOWN')) return length
  const [, source, destination, sourcePort, destinationPort] = V1.exec(line) ?? []
  if (source === undefined || Number(sourcePort) > PORT_MAX || Number(destinationPort) > PORT_MAX) {
    return broken(text, into)
  }
  into.source = source
  into.sourcePort = Number(sourcePort)
  into.destination = destination!
  into.destinationPort = Number(destinationPort)
  return length
}

function parseV2(text: string, into: ProxyHeader): number {
  const versionCommand = text.charCodeAt(12)
  if (versionCommand >> 4 !== 2) {
    into.problem = `unknown PROXY protocol version: ${versionCommand >> 4}`
    return PROXY_BROKEN
  }
  const length = V2_HEAD + uint16(text, 14)
  if (length > V2_LENGTH_MAX) {
    into.problem = 'header is too large'
    return PROXY_BROKEN
  }
  if (text.length < length) return PROXY_MORE
  const family = text.charCodeAt(13) >> 4
  const transport = text.charCodeAt(13) & 0x0f
  const size = family === INET ? 4 : family === INET6 ? 16 : 0
  // Other commands (LOCAL: the load balancer's own check) name nobody; nginx takes those that nobody has assigned, too.
  if (versionCommand !== PROXY || transport !== STREAM || size === 0) return length
  const ports = V2_HEAD + 2 * size
  if (length < ports + 4) return broken(text, into)
  into.source = formatIp(text.slice(V2_HEAD, V2_HEAD + size))
  into.destination = formatIp(text.slice(V2_HEAD + size, ports))
  into.sourcePort = uint16(text, ports)
  into.destinationPort = uint16(text, ports + 2)
  into.tlvs = text.slice(ports + 4, length)
  return length
}

function uint16(text: string, at: number): number {
  return (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1)
}

const TYPES: Readonly<Record<string, number>> = { alpn: 1, authority: 2, unique_id: 5, ssl: 0x20, netns: 0x30 }
const SSL_TYPES: Readonly<Record<string, number>> = {
  version: 0x21,
  cn: 0x22,
  cipher: 0x23,
  sig_alg: 0x24,
  key_alg: 0x25,
}
const SSL = 'ssl_'
/** Flags of one byte and the result of verification of four come before what the client's TLS is about. */
const SSL_HEAD = 5

/**
 * The value of a TLV by the name that `$proxy_protocol_tlv_name` has: `alpn`, `authority`, `unique_id`, `ssl`, `netns`,
 * `0x..`, and with `ssl_` before it those within the ssl one: `version`, `verify`, `cn`, `cipher`, `sig_alg`, `key_alg`,
 * `0x..`. Undefined when there is none.
 */
export function tlvValue(tlvs: string, name: string): string | undefined {
  if (!name.startsWith(SSL)) return lookUp(tlvs, typeOf(name, TYPES))
  const ssl = lookUp(tlvs, TYPES['ssl']!)
  if (ssl === undefined || ssl.length < SSL_HEAD) return undefined
  const rest = name.slice(SSL.length)
  if (rest === 'verify') return String(((uint16(ssl, 1) << 16) | uint16(ssl, 3)) >>> 0)
  return lookUp(ssl.slice(SSL_HEAD), typeOf(rest, SSL_TYPES))
}

function typeOf(name: string, types: Readonly<Record<string, number>>): number {
  return /^0x[0-9a-f]+$/i.test(name) ? Number(name) : (types[name] ?? Number.NaN)
}

function lookUp(tlvs: string, type: number): string | undefined {
  for (let at = 0; at + 3 <= tlvs.length; ) {
    const length = uint16(tlvs, at + 1)
    const value = at + 3
    if (value + length > tlvs.length) return undefined
    if (tlvs.charCodeAt(at) === type) return tlvs.slice(value, value + length)
    at = value + length
  }
  return undefined
}
