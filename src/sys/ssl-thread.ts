/**
 * What all TLS connections of a thread share: OpenSSL's functions, a place to exchange small things with them, and what they
 * call back. C calls into JavaScript only from within a call that the thread has made, and finds who is concerned in `asked`;
 * what OpenSSL passes to a callback is valid while that runs.
 */
import { assert } from '../lib/assert.ts'
import { addressOf, calledBy, functionAt, type OpenSsl, openssl } from './openssl.ts'
import type { SslEstate } from './ssl-estate.ts'

/** Cells of 8 bytes at the beginning of the place, for what functions want to be pointed at. */
const CELLS = 8
const CELL_SIZE = 8
const SCRATCH_SIZE = 65536
const HALF = 2 ** 32
/** Most errors of one call that are told. */
const ERRORS_MAX = 8
const ERROR_TEXT_SIZE = 256
/** In the flags of an error: its data is a text. */
const ERR_TXT_STRING = 2

/** Outcomes of callbacks: for protocols (SSL_TLSEXT_ERR_*), for the keys of tickets. */
const ACKNOWLEDGED = 0
const ALERT_FATAL = 2
const NOT_ACKNOWLEDGED = 3
const TICKET_ERROR = -1
const TICKET_UNKNOWN = 0
const TICKET_USE = 1
const TICKET_RENEW = 2

const TICKET_NAME_SIZE = 16
const IV_SIZE = 16
const TLS_1_3 = 0x0304

/** A key of session tickets: 16 or 32 bytes each for AES-CBC and HMAC-SHA256, as nginx's files have them. */
export interface TicketKey {
  readonly name: Buffer
  readonly aes: Buffer
  readonly hmac: Buffer
}

/** Who knows the keys of tickets. */
export interface TicketKeys {
  /** The key for new tickets. */
  newest(): TicketKey
  /** The key of that name; undefined: the ticket is worth nothing. */
  find(name: Buffer): TicketKey | undefined
}

/** What OpenSSL asks and tells about a connection while it works for it. */
export interface SslAsked {
  /** Protocols of ours in order, each behind its length; undefined: none is chosen. */
  readonly alpn: Buffer | undefined
  readonly tickets: TicketKeys | undefined
  /** Gives, once, the session in DER that the client wants to resume and that is kept here. */
  takeSession(): Buffer | undefined
  /** A session was made, in DER. */
  onSession(id: Buffer, session: Buffer): void
  /** A line of secrets in NSS's format, with its end. */
  onKeyLog(line: string): void
}

/**
 * Addresses of functions that OpenSSL may be given. Two of the answers are always the same, and functions of C that have them
 * stand for ours: a process has room for some thousands of ours, and each thread that ever was has taken its part.
 */
interface Callbacks {
  /**
   * Returns 0 for a connection, whatever else it is given: there is a staple if one was set, and the name that the client asks
   * for was read before. No connection here is ended quietly.
   */
  readonly acknowledge: number
  /** Returns 1 for 0 and 1: what is wrong with a certificate OpenSSL keeps, and it is judged after the handshake. */
  readonly accept: number
  readonly alpn: number
  readonly ticketKey: number
  readonly newSession: number
  readonly getSession: number
  readonly keyLog: number
}

/** The TLS of one thread. */
export class SslThread {
  readonly c: OpenSsl
  readonly callbacks: Callbacks
  /** Notes what there is, for the case that the thread dies; set before there is anything. */
  estate: SslEstate | undefined
  /** Whom the call under way is about. */
  asked: SslAsked | undefined
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_SIZE)
  readonly #words: Uint32Array
  readonly #at: number
  readonly #bytesAt: number
  /** For tickets. OpenSSL would look for them at each use if it were only told their names (EVP_sha256 and its like). */
  readonly #aes128: number
  readonly #aes256: number
  readonly #sha256: number
  /** The last memory whose address was asked for. */
  #lastMemory: ArrayBufferLike | undefined
  #lastMemoryAt = 0

  constructor(c: OpenSsl) {
    this.c = c
    this.#words = new Uint32Array(this.#scratch.buffer, 0, CELLS * 2)
    this.#at = addressOf(this.#scratch)
    this.#bytesAt = this.#at + CELLS * CELL_SIZE
    this.#aes128 = c.EVP_CIPHER_fetch(0, textAddress('AES-128-CBC'), 0)
    this.#aes256 = c.EVP_CIPHER_fetch(0, textAddress('AES-256-CBC'), 0)
    this.#sha256 = c.EVP_MD_fetch(0, textAddress('SHA256'), 0)
    assert(this.#aes128 !== 0 && this.#aes256 !== 0 && this.#sha256 !== 0, 'AES and SHA-2 are there')
    this.callbacks = {
      alpn: calledBy(
        (_ssl, out, outSize, given, size) => this.#chooseProtocol(out, outSize, given, size),
        'i',
        'llllil',
      ),
      ticketKey: calledBy((...args) => this.#ticketKey(args as TicketArguments), 'i', 'llllli'),
      acknowledge: functionAt('SSL_get_quiet_shutdown'),
      accept: functionAt('isascii'),
      newSession: calledBy((_ssl, session) => this.#newSession(session), 'i', 'll'),
      getSession: calledBy((_ssl, _id, _size, copy) => this.#getSession(copy), 'l', 'llil'),
      keyLog: calledBy((_ssl, line) => this.#keyLog(line), 'i', 'll'),
    }
  }

  // ---- memory --------------------------------------------------------------------------------

  /** The address of a cell. */
  cell(index: number): number {
    return this.#at + index * CELL_SIZE
  }

  /** The address of bytes that are mostly a piece of the same memory as the last ones; kept alive as by `addressOf`. */
  addressIn(bytes: Uint8Array): number {
    const { buffer } = bytes
    if (buffer !== this.#lastMemory) {
      this.#lastMemory = buffer
      this.#lastMemoryAt = addressOf(bytes) - bytes.byteOffset
    }
    return this.#lastMemoryAt + bytes.byteOffset
  }

  /** Puts an address, or a size, into a cell. */
  setCell(index: number, value: number): void {
    this.#words[2 * index] = value % HALF
    this.#words[2 * index + 1] = Math.floor(value / HALF)
  }

  getCell(index: number): number {
    return this.#words[2 * index]! + this.#words[2 * index + 1]! * HALF
  }

  /** Copies bytes that lie at an address, at most what fits into the place; they are borrowed until the next call. */
  borrow(address: number, size: number): Buffer {
    const start = CELLS * CELL_SIZE
    const fits = Math.min(size, SCRATCH_SIZE - start)
    this.c.memcpy(this.#bytesAt, address, fits)
    return this.#scratch.subarray(start, start + fits)
  }

  /** The text that ends with a zero at an address; empty for none. */
  textAt(address: number): string {
    return address === 0 ? '' : this.borrow(address, this.c.strlen(address)).latin1Slice()
  }

  /** What one of the functions `i2d_*` makes of a thing. */
  derOf(encode: (thing: number, out: number) => number, thing: number): Buffer {
    const size = encode(thing, 0)
    const bytes = Buffer.allocUnsafeSlow(Math.max(size, 1))
    this.setCell(0, addressOf(bytes))
    if (size > 0) encode(thing, this.cell(0))
    return bytes.subarray(0, Math.max(size, 0))
  }

  /** The errors of the last call, as nginx prints them, and forgets them. */
  errors(): string {
    const { c } = this
    let text = ''
    for (let count = 0; count < ERRORS_MAX; count++) {
      const code = c.ERR_get_error_all(0, 0, 0, this.cell(1), this.cell(2))
      if (code === 0) break
      const flags = this.#words[4]! // An int in cell 2.
      const data = (flags & ERR_TXT_STRING) === 0 ? '' : this.textAt(this.getCell(1))
      c.ERR_error_string_n(code, this.#bytesAt, ERROR_TEXT_SIZE)
      const name = this.textAt(this.#bytesAt)
      text += `${text === '' ? '' : ' '}${name}${data === '' ? '' : `:${data}`}`
    }
    c.ERR_clear_error()
    return text
  }

  // ---- what C calls --------------------------------------------------------------------------

  /** The first of our protocols that the client has, too (SSL_select_next_proto). */
  #chooseProtocol(out: number, outSize: number, given: number, size: number): number {
    const ours = this.asked?.alpn
    if (ours === undefined) return NOT_ACKNOWLEDGED
    const theirs = this.borrow(given, size).latin1Slice()
    for (let at = 0; at < ours.length; at += 1 + ours[at]!) {
      if (!hasProtocol(theirs, ours.latin1Slice(at, at + 1 + ours[at]!))) continue
      // OpenSSL copies the name when this returns.
      this.setCell(0, addressOf(ours) + at + 1)
      this.setCell(1, ours[at]!)
      this.c.memcpy(out, this.cell(0), 8)
      this.c.memcpy(outSize, this.cell(1), 1)
      return ACKNOWLEDGED
    }
    return ALERT_FATAL
  }

  /** Prepares a cipher and a MAC for a ticket (ngx_ssl_ticket_key_callback). */
  #ticketKey([ssl, name, iv, cipher, mac, encrypts]: TicketArguments): number {
    const { c } = this
    const keys = this.asked?.tickets
    if (keys === undefined) return TICKET_ERROR
    const newest = keys.newest()
    if (encrypts !== 0) {
      if (c.RAND_bytes(iv, IV_SIZE) !== 1) return TICKET_ERROR
      c.memcpy(name, addressOf(newest.name), TICKET_NAME_SIZE)
      return this.#useKey(newest, c.EVP_EncryptInit_ex, cipher, iv, mac) ? TICKET_USE : TICKET_ERROR
    }
    const key = keys.find(Buffer.from(this.borrow(name, TICKET_NAME_SIZE)))
    if (key === undefined) return TICKET_UNKNOWN
    if (!this.#useKey(key, c.EVP_DecryptInit_ex, cipher, iv, mac)) return TICKET_ERROR
    // Tickets of TLS 1.3 are used once.
    return key === newest && c.SSL_version(ssl) !== TLS_1_3 ? TICKET_USE : TICKET_RENEW
  }

  #useKey({ aes, hmac }: TicketKey, init: OpenSsl['EVP_EncryptInit_ex'], cipher: number, iv: number, mac: number) {
    const { c } = this
    const kind = aes.length === 32 ? this.#aes256 : this.#aes128
    if (init(cipher, kind, 0, addressOf(aes), iv) !== 1) return false
    return c.HMAC_Init_ex(mac, addressOf(hmac), hmac.length, this.#sha256, 0) === 1
  }

  /** The session stays OpenSSL's. */
  #newSession(session: number): number {
    this.asked?.onSession(this.sessionId(session), this.derOf(this.c.i2d_SSL_SESSION, session))
    return 0
  }

  /** The id of a session. */
  sessionId(session: number): Buffer {
    const id = this.c.SSL_SESSION_get_id(session, this.cell(0))
    return Buffer.from(this.borrow(id, this.#words[0]!)) // An unsigned int in cell 0.
  }

  /** OpenSSL gets a session of its own. */
  #getSession(copy: number): number {
    this.setCell(0, 0)
    this.c.memcpy(copy, this.cell(0), 4)
    const der = this.asked?.takeSession()
    return der === undefined ? 0 : this.sessionOf(der)
  }

  /** Makes a session, which is the caller's; 0: these bytes are none. */
  sessionOf(der: Buffer): number {
    this.setCell(0, addressOf(der))
    const session = this.c.d2i_SSL_SESSION(0, this.cell(0), der.length)
    if (session === 0) this.c.ERR_clear_error()
    return session
  }

  #keyLog(line: number): number {
    this.asked?.onKeyLog(`${this.textAt(line)}\n`)
    return 0
  }
}

function textAddress(text: string): number {
  return addressOf(Buffer.from(`${text}\0`, 'latin1'))
}

type TicketArguments = [ssl: number, name: number, iv: number, cipher: number, mac: number, encrypts: number]

/** Tells whether a list in ALPN's form has a name, with its length before it. */
function hasProtocol(list: string, name: string): boolean {
  for (let at = 0; at < list.length; at += 1 + list.charCodeAt(at)) if (list.startsWith(name, at)) return true
  return false
}

let thread: SslThread | string | undefined

/** The TLS of this thread, or a text that says why OpenSSL cannot be had. */
export function sslThread(): SslThread | string {
  thread ??= make()
  return thread
}

function make(): SslThread | string {
  const c = openssl()
  if (typeof c === 'string') return c
  // Functions that C can call are limited in number, and those of threads that are gone are not given back.
  try {
    const made = new SslThread(c)
    const { acknowledge, accept } = made.callbacks
    return acknowledge === 0 || accept === 0 ? 'the C library has no isascii()' : made
  } catch (error) {
    return `OpenSSL: ${(error as Error).message}`
  }
}
