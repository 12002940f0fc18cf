/** Addresses of sockets as the kernel has them (struct sockaddr), to and from text. */
import { formatIp, parseIp } from '../lib/ip.ts'

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
/** The largest one, of a unix socket. */
export const SOCKADDR_SIZE_MAX = 110

/** A power of two, at most 256. */
const KNOWN = 256

const IN_SIZE = 16
const IN6_SIZE = 28
const PATH_AT = 2
const PATH_SIZE_MAX = 108

/** An address of the internet in the kernel's form; undefined when the text is no numeric address. */
export function internetAddress(host: string, port: number): Buffer | undefined {
  const binary = parseIp(host)
  if (binary === undefined) return undefined
  const six = binary.length === 16
  const bytes = Buffer.alloc(six ? IN6_SIZE : IN_SIZE)
  bytes.writeUInt16LE(six ? AF_INET6 : AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.write(binary, six ? 8 : 4, 'latin1')
  return bytes
}

/** The address of a socket file; undefined when the path is too long for it. A first char of `@` stays what it is. */
export function unixAddress(path: string): Buffer | undefined {
  const name = Buffer.from(path, 'latin1')
  if (name.length >= PATH_SIZE_MAX) return undefined
  const bytes = Buffer.alloc(PATH_AT + name.length + 1)
  bytes.writeUInt16LE(AF_UNIX, 0)
  name.copy(bytes, PATH_AT)
  return bytes
}

/** Whose address it is: AF_UNIX, AF_INET or AF_INET6. */
export function familyIn(bytes: Buffer): number {
  return bytes.readUInt16LE(0)
}

/** The host in such an address, or empty when it is none of the internet. */
export function hostIn(bytes: Buffer): string {
  const family = familyIn(bytes)
  if (family === AF_INET) return ipv4In(bytes)
  return family === AF_INET6 ? formatIp(bytes.latin1Slice(8, 24)) : ''
}

/** The texts of some addresses that were asked for, at the places of their numbers: many connections come from few clients. */
const knownNumbers = new Uint32Array(KNOWN)
const knownTexts: string[] = new Array(KNOWN).fill('0.0.0.0')

function ipv4In(bytes: Buffer): string {
  const number = bytes.readUInt32LE(4)
  const at = (number ^ (number >>> 8) ^ (number >>> 16) ^ (number >>> 24)) & (KNOWN - 1)
  if (knownNumbers[at] !== number) {
    knownNumbers[at] = number
    knownTexts[at] = `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`
  }
  return knownTexts[at]!
}

/** The port in such an address. */
export function portIn(bytes: Buffer): number {
  const family = familyIn(bytes)
  return family === AF_INET || family === AF_INET6 ? bytes.readUInt16BE(2) : 0
}
