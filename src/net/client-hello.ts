/**
 * Reads the first message of a TLS client (RFC 8446, section 4.1.2) before an engine is made: which name it asks for,
 * what it can speak, which session it has. Strict about lengths and bounded; what cannot be read is left for the engine
 * to complain about, since it sees the same bytes.
 *
 *     record: type version length | handshake: type length | version random session-id ciphers compression extensions
 */

/** The hello is not complete yet. */
export const HELLO_MORE = 0
/** The facts were read. */
export const HELLO_DONE = 1
/** These bytes are no hello that is understood here. */
export const HELLO_BROKEN = 2

/** A message longer than this is not waited for. Large key shares and lists stay far below. */
const HELLO_SIZE_MAX = 65536

const RECORD_HEAD = 5
const MESSAGE_HEAD = 4
const HANDSHAKE = 22
const CLIENT_HELLO = 1
const RECORD_SIZE_MAX = 16384
const RANDOM_SIZE = 32
const SESSION_ID_MAX = 32

const SERVER_NAME = 0
const STATUS_REQUEST = 5
const SUPPORTED_GROUPS = 10
const SIGNATURE_ALGORITHMS = 13
const ALPN = 16
const SESSION_TICKET = 35
const PRE_SHARED_KEY = 41
const SUPPORTED_VERSIONS = 43

const HOST_NAME = 0
const NAME_SIZE_MAX = 255

/** What a client said of itself. Lists are as they came, one byte per char. */
export class ClientHello {
  /** The name that the client asks for, as it came; empty without one. */
  serverName = ''
  /** The highest version: 0x0304 for TLS 1.3. */
  version = 0
  sessionId = ''
  /** Two bytes each. */
  ciphers = ''
  groups = ''
  signatureAlgorithms = ''
  /** Protocols, each behind its length; empty without any. */
  alpn = ''
  /** TLS 1.2: it can use tickets. */
  tickets = false
  /** TLS 1.2: the ticket that it has. */
  ticket = ''
  /** TLS 1.3: the first session that it offers to resume. */
  pskIdentity = ''
  /** It asks for the certificate's status. */
  statusRequest = false

  /** Makes it ready for another connection. */
  reset(): void {
    this.serverName = this.sessionId = this.ciphers = this.groups = this.signatureAlgorithms = this.alpn = ''
    this.ticket = this.pskIdentity = ''
    this.version = 0
    this.tickets = this.statusRequest = false
  }
}

/** Where a message that came in several records is put together. */
const joined: Buffer = Buffer.allocUnsafeSlow(HELLO_SIZE_MAX)

/** Reads `buffer[start, end)`, which begins with the first byte of the connection. `hello` is filled on HELLO_DONE. */
export function parseClientHello(buffer: Buffer, start: number, end: number, hello: ClientHello): number {
  if (end - start < RECORD_HEAD) return looksRight(buffer, start, end) ? HELLO_MORE : HELLO_BROKEN
  if (!looksRight(buffer, start, end)) return HELLO_BROKEN
  const first = start + RECORD_HEAD
  const size = recordSize(buffer, start)
  if (size < MESSAGE_HEAD) return joinRecords(buffer, start, end, hello)
  if (end - first < MESSAGE_HEAD) return HELLO_MORE
  const length = messageSize(buffer, first)
  if (buffer[first] !== CLIENT_HELLO || length > HELLO_SIZE_MAX - MESSAGE_HEAD) return HELLO_BROKEN
  if (length + MESSAGE_HEAD > size) return joinRecords(buffer, start, end, hello)
  const message = first + MESSAGE_HEAD
  if (end < message + length) return HELLO_MORE
  return readMessage(buffer, message, message + length, hello) ? HELLO_DONE : HELLO_BROKEN
}

/** The record's head as far as it is there. */
function looksRight(buffer: Buffer, at: number, end: number): boolean {
  if (at < end && buffer[at] !== HANDSHAKE) return false
  if (at + 1 < end && buffer[at + 1] !== 3) return false
  if (at + RECORD_HEAD > end) return true
  const size = recordSize(buffer, at)
  return size > 0 && size <= RECORD_SIZE_MAX
}

function recordSize(buffer: Buffer, at: number): number {
  return buffer[at + 3]! * 256 + buffer[at + 4]!
}

function messageSize(buffer: Buffer, at: number): number {
  return buffer[at + 1]! * 65536 + buffer[at + 2]! * 256 + buffer[at + 3]!
}

/** A message in several records. */
function joinRecords(buffer: Buffer, start: number, end: number, hello: ClientHello): number {
  let size = 0
  let wanted = MESSAGE_HEAD
  for (let at = start; size < wanted; ) {
    if (!looksRight(buffer, at, end)) return HELLO_BROKEN
    if (at + RECORD_HEAD > end) return HELLO_MORE
    const body = at + RECORD_HEAD
    const next = body + recordSize(buffer, at)
    const have = Math.min(next, end)
    if (size + have - body > HELLO_SIZE_MAX) return HELLO_BROKEN
    buffer.copy(joined, size, body, have)
    size += have - body
    if (size >= MESSAGE_HEAD && wanted === MESSAGE_HEAD) {
      wanted += messageSize(joined, 0)
      if (joined[0] !== CLIENT_HELLO || wanted > HELLO_SIZE_MAX) return HELLO_BROKEN
    }
    if (next > end && size < wanted) return HELLO_MORE
    at = next
  }
  return readMessage(joined, MESSAGE_HEAD, wanted, hello) ? HELLO_DONE : HELLO_BROKEN
}

/** The message between its head and `end`. */
function readMessage(buffer: Buffer, start: number, end: number, hello: ClientHello): boolean {
  hello.reset()
  let at = start + 2 + RANDOM_SIZE
  if (at + 1 > end) return false
  hello.version = u16(buffer, start)
  const idSize = buffer[at]!
  if (idSize > SESSION_ID_MAX || at + 1 + idSize + 2 > end) return false
  hello.sessionId = buffer.latin1Slice(at + 1, at + 1 + idSize)
  at += 1 + idSize
  const ciphersSize = u16(buffer, at)
  if (at + 2 + ciphersSize + 1 > end || ciphersSize % 2 !== 0) return false
  hello.ciphers = buffer.latin1Slice(at + 2, at + 2 + ciphersSize)
  at += 2 + ciphersSize
  at += 1 + buffer[at]!
  if (at === end) return true
  if (at + 2 > end || at + 2 + u16(buffer, at) !== end) return false
  return readExtensions(buffer, at + 2, end, hello)
}

function readExtensions(buffer: Buffer, start: number, end: number, hello: ClientHello): boolean {
  for (let at = start; at < end; ) {
    if (at + 4 > end) return false
    const type = u16(buffer, at)
    const body = at + 4
    const next = body + u16(buffer, at + 2)
    if (next > end || !readExtension(type, buffer, body, next, hello)) return false
    at = next
  }
  return true
}

function readExtension(type: number, buffer: Buffer, at: number, end: number, hello: ClientHello): boolean {
  switch (type) {
    case SERVER_NAME:
      return readServerName(buffer, at, end, hello)
    case STATUS_REQUEST:
      hello.statusRequest = end > at && buffer[at] === 1
      return true
    case SUPPORTED_GROUPS:
      hello.groups = list16(buffer, at, end)
      return true
    case SIGNATURE_ALGORITHMS:
      hello.signatureAlgorithms = list16(buffer, at, end)
      return true
    case ALPN:
      hello.alpn = list16(buffer, at, end)
      return true
    case SESSION_TICKET:
      hello.tickets = true
      hello.ticket = buffer.latin1Slice(at, end)
      return true
    case PRE_SHARED_KEY:
      return readIdentity(buffer, at, end, hello)
    case SUPPORTED_VERSIONS:
      return readVersions(buffer, at, end, hello)
    default:
      return true
  }
}

/** One name, of the only kind that there is (RFC 6066, section 3); OpenSSL takes an empty one for none, and so does nginx. */
function readServerName(buffer: Buffer, at: number, end: number, hello: ClientHello): boolean {
  if (at + 5 > end || u16(buffer, at) !== end - at - 2 || buffer[at + 2] !== HOST_NAME) return false
  const size = u16(buffer, at + 3)
  if (at + 5 + size !== end || size > NAME_SIZE_MAX) return false
  const name = buffer.latin1Slice(at + 5, end)
  hello.serverName = name
  return !name.includes('\0')
}

function readIdentity(buffer: Buffer, at: number, end: number, hello: ClientHello): boolean {
  if (at + 4 > end) return false
  const size = u16(buffer, at + 2)
  if (at + 4 + size > end) return false
  hello.pskIdentity = buffer.latin1Slice(at + 4, at + 4 + size)
  return true
}

function readVersions(buffer: Buffer, start: number, end: number, hello: ClientHello): boolean {
  if (start >= end || start + 1 + buffer[start]! !== end) return false
  let highest = 0
  for (let at = start + 1; at + 1 < end; at += 2) {
    const version = u16(buffer, at)
    // Versions that nobody has are sent to keep servers used to unknown ones (RFC 8701).
    if (version <= 0x0304 && version > highest) highest = version
  }
  if (highest !== 0) hello.version = highest
  return true
}

/** What stands behind a length of two bytes; empty when the length is wrong. */
function list16(buffer: Buffer, at: number, end: number): string {
  return at + 2 <= end && u16(buffer, at) === end - at - 2 ? buffer.latin1Slice(at + 2, end) : ''
}

function u16(buffer: Buffer, at: number): number {
  return buffer[at]! * 256 + buffer[at + 1]!
}

/** What is remembered of a hello, for variables. */
export interface HelloFacts {
  readonly serverName: string
  /** Lists of two bytes each, one byte per char. */
  readonly ciphers: string
  readonly groups: string
  readonly signatureAlgorithms: string
}

/** Keeps what variables tell; the reader of hellos serves the next client. */
export function factsOf({ serverName, ciphers, groups, signatureAlgorithms }: ClientHello): HelloFacts {
  return { serverName, ciphers, groups, signatureAlgorithms }
}
