/**
 * One TLS connection of OpenSSL (SSL), without a socket: bytes of the peer go in, decrypted ones come out, and what is to be
 * sent is fetched. It owns the connection's memory: made in the constructor, freed by `free`, and asked nothing afterwards.
 *
 * All connections of a thread share two buffers (memory BIOs), since each call takes in all that it was given:
 *
 *     give -> input -> handshake, read -> decrypted        write, and OpenSSL by itself -> output -> take
 *
 * A connection that nothing happens on thus holds no buffer at all.
 */
import { assert } from '../lib/assert.ts'
import { calls } from './calls.ts'
import { addressOf } from './openssl.ts'
import type { SslContext } from './ssl-context.ts'
import { SSL_BUFFER, SSL_CONNECTION, SSL_MEMORY } from './ssl-estate.ts'
import { SslOutput } from './ssl-output.ts'
import type { SslAsked, SslThread } from './ssl-thread.ts'

/** Outcomes below 0; sizes are above. */
export const SSL_WANTS_MORE = 0
/** The peer has ended properly (close_notify). */
export const SSL_ENDED = -1
/** `problem` says why. */
const SSL_FAILED = -2
/** No requests come before the end of the handshake, or no more of them: `handshake` and `read` go on. */
export const SSL_NOT_EARLY = -3

/** The largest record. */
export const RECORD_SIZE = 16384

/** Numbers of BIO_ctrl and SSL_ctrl. */
const BIO_RESET = 1
const SERVER_NAME = 55
const STATUS_RESPONSE = 71
const PEER_TEMPORARY_KEY = 109
/** A type of keys (NID_rsaEncryption). */
const RSA = 6
const ERROR_WANT_READ = 2
const ERROR_ZERO_RETURN = 6
const VERIFY_PEER = 1
const EARLY_DATA_SUCCESS = 1
const EARLY_DATA_FINISH = 2
const TLS_1_3 = 0x0304

/** Where text is put together that is to be encrypted, some records of it. */
export const plainText: Buffer = Buffer.allocUnsafeSlow(4 * RECORD_SIZE)

/** The buffers of this thread, and what is known of them. */
interface Shared {
  readonly thread: SslThread
  readonly input: number
  readonly output: SslOutput
  readonly plainTextAt: number
}

let shared: Shared | undefined
/** Connections that were made and not freed yet. */
let count = 0

/** Connections of this thread that are not freed yet. */
export function sslCount(): number {
  return count
}

function share(thread: SslThread): Shared {
  const { c, estate } = thread
  const system = calls()
  assert(typeof system !== 'string', 'who has OpenSSL has the C library')
  const input = c.BIO_new(c.BIO_s_mem())
  assert(input !== 0, 'there is memory for a BIO')
  const output = SslOutput.make(c, system)
  estate?.add(input, SSL_BUFFER)
  estate?.add(output.bio, SSL_BUFFER)
  estate?.add(output.address, SSL_MEMORY)
  return { thread, input, output, plainTextAt: addressOf(plainText) }
}

/** One connection. */
export class Ssl {
  readonly #shared: Shared
  readonly #asked: SslAsked
  #address: number
  /** Where it is noted. */
  readonly #place: number
  /** Requests may come before the handshake is over: `readEarly` is asked first. */
  mayBeEarly: boolean
  /** Answers may be written before the handshake is over. */
  #answersEarly: boolean
  readonly #isServer: boolean
  /** The time of a session that goes on was looked at, or need not be. */
  #timed = false
  #is12 = false
  /** The handshake is over. */
  #isDone = false

  constructor(context: SslContext, isServer: boolean, asked: SslAsked) {
    const { thread } = context
    shared ??= share(thread)
    const { c } = thread
    this.#shared = shared
    this.#asked = asked
    const address = c.SSL_new(context.address)
    assert(address !== 0, 'there is memory for a connection')
    this.#address = address
    this.#place = thread.estate?.add(address, SSL_CONNECTION) ?? 0
    this.mayBeEarly = this.#answersEarly = isServer && context.earlyData
    count++
    // Each connection counts as one who holds the buffers.
    c.BIO_up_ref(shared.input)
    c.BIO_up_ref(shared.output.bio)
    c.SSL_set_bio(address, shared.input, shared.output.bio)
    this.#isServer = isServer
    if (!isServer) c.SSL_set_connect_state(address)
  }

  /** Frees it. What it has in the shared output is to be taken before. */
  free(): void {
    assert(this.#address !== 0, 'a connection is freed once')
    const { thread } = this.#shared
    thread.estate?.delete(this.#place)
    thread.c.SSL_free(this.#address)
    this.#address = 0
    count--
  }

  get freed(): boolean {
    return this.#address === 0
  }

  /** The address, of a connection that is there; what OpenSSL asks from now on is asked of its owner. */
  #enter(): number {
    assert(this.#address !== 0, 'a connection that was freed is not used')
    this.#shared.thread.asked = this.#asked
    return this.#address
  }

  // ---- before the handshake ------------------------------------------------------------------

  /** Asks the peer for its certificate; what comes is judged by `verifyResult`. */
  requestCertificate(): void {
    const { c, callbacks } = this.#shared.thread
    c.SSL_set_verify(this.#enter(), VERIFY_PEER, callbacks.accept)
  }

  /** The name that the peer is told (SNI). */
  setServerName(name: string): void {
    const { c } = this.#shared.thread
    c.SSL_ctrl(this.#enter(), SERVER_NAME, 0, addressOf(Buffer.from(`${name}\0`, 'latin1')))
  }

  /** The protocols that the peer is offered, each behind its length. */
  offerProtocols(protocols: Buffer): void {
    this.#shared.thread.c.SSL_set_alpn_protos(this.#enter(), addressOf(protocols), protocols.length)
  }

  /** A session in DER that the peer is offered; it may be none any more. */
  offerSession(der: Buffer): void {
    const { thread } = this.#shared
    const session = thread.sessionOf(der)
    if (session === 0) return
    thread.c.SSL_set_session(this.#enter(), session)
    thread.c.SSL_SESSION_free(session)
  }

  /** The answer about our certificate that the peer gets if it asks. */
  setStaple(answer: Buffer): void {
    const { c } = this.#shared.thread
    // OpenSSL frees it with the connection.
    const copy = c.CRYPTO_malloc(answer.length, 0, 0)
    assert(copy !== 0, 'there is memory for a staple')
    c.memcpy(copy, addressOf(answer), answer.length)
    c.SSL_ctrl(this.#enter(), STATUS_RESPONSE, answer.length, copy)
  }

  /** No more than TLS 1.2 will be spoken: what is to be seen to in TLS 1.3 alone is left out. */
  expectOld(): void {
    this.#is12 = this.#timed = true
  }

  // ---- work ----------------------------------------------------------------------------------

  /** Gives what the peer has sent. */
  give(bytes: Uint8Array, size: number): void {
    const { thread, input } = this.#shared
    // Outcomes are found in the thread's list of errors, where others may have left some, which is rare: looking costs a third of
    // blanking it. A handshake blanks it by itself.
    if ((this.#isDone || this.mayBeEarly) && thread.c.ERR_peek_error() !== 0) thread.c.ERR_clear_error()
    const written = thread.c.BIO_write(input, thread.addressIn(bytes), size)
    assert(written === size, 'a memory BIO takes everything')
  }

  /** Goes on with the handshake: 1 when it is complete. */
  handshake(): number {
    const { c } = this.#shared.thread
    const address = this.#enter()
    // The first call says which side this is.
    const result = this.#isServer ? c.SSL_accept(address) : c.SSL_do_handshake(address)
    if (!this.#timed) this.#keepTime(address)
    if (result !== 1) return this.#outcome(address, result)
    this.#isDone = true
    if (!this.#is12) this.#forgetKey(address)
    return 1
  }

  /**
   * OpenSSL keeps what the peer gave for the common secret as long as the connection, which is more than 6 KB for a key of
   * ML-KEM, a quarter of all that it needs. Nobody asks for it once the handshake is over: a key that gets another
   * type loses what it was.
   */
  #forgetKey(address: number): void {
    const { thread } = this.#shared
    const { c } = thread
    if (c.SSL_ctrl(address, PEER_TEMPORARY_KEY, 0, thread.cell(2)) !== 1) return
    const key = thread.getCell(2)
    c.EVP_PKEY_set_type(key, RSA)
    c.EVP_PKEY_free(key)
  }

  /**
   * Decrypts at most `size` bytes to an address: their number, or an outcome. One record is read at a time, and `size` is
   * at least that of a record.
   */
  read(at: number, size: number): number {
    const { c } = this.#shared.thread
    const address = this.#enter()
    const result = c.SSL_read(address, at, size)
    return result > 0 ? result : this.#outcome(address, result)
  }

  /**
   * The same of what a client says together with its hello, before it has proved anything (RFC 8446, section 2.3). After
   * the first of it answers may be written; SSL_NOT_EARLY: there is nothing of the kind.
   */
  readEarly(at: number, size: number): number {
    const { thread } = this.#shared
    const address = this.#enter()
    const result = thread.c.SSL_read_early_data(address, at, size, thread.cell(2))
    if (!this.#timed) this.#keepTime(address)
    if (result === EARLY_DATA_SUCCESS) return thread.getCell(2)
    if (result !== EARLY_DATA_FINISH) return this.#outcome(address, 0)
    this.mayBeEarly = false
    return SSL_NOT_EARLY
  }

  /** The handshake is not over: whoever repeats the client's first message makes it ask the same again. */
  get early(): boolean {
    if (!this.#answersEarly) return false
    this.#answersEarly = this.#shared.thread.c.SSL_is_init_finished(this.#enter()) === 0
    return this.#answersEarly
  }

  /**
   * Encrypts what stands in `plainText`, for the output; returns a size or an outcome. More is wanted before when the peer
   * has begun another handshake (TLS 1.2).
   */
  writePlain(at: number, size: number): number {
    return this.write(this.#shared.plainTextAt + at, size)
  }

  /** The address of `plainText`. */
  get plainTextAt(): number {
    return this.#shared.plainTextAt
  }

  /** The same of bytes at an address. */
  write(at: number, size: number): number {
    const { thread } = this.#shared
    const address = this.#enter()
    const result = this.early
      ? thread.c.SSL_write_early_data(address, at, size, thread.cell(2))
      : thread.c.SSL_write(address, at, size)
    return result > 0 ? size : this.#outcome(address, result)
  }

  /** Says that nothing more will be sent, where that can be said. */
  end(): void {
    const { thread } = this.#shared
    if (!this.early && thread.c.SSL_shutdown(this.#enter()) < 0) thread.c.ERR_clear_error()
  }

  #outcome(address: number, result: number): number {
    const error = this.#shared.thread.c.SSL_get_error(address, result)
    if (error === ERROR_WANT_READ) return SSL_WANTS_MORE
    return error === ERROR_ZERO_RETURN ? SSL_ENDED : SSL_FAILED
  }

  /** What went wrong, as nginx prints it; what was given and not used is forgotten. */
  problem(): string {
    this.forget()
    return this.#shared.thread.errors()
  }

  /** What was given and is not used yet. */
  get unused(): number {
    return this.#shared.thread.c.BIO_ctrl_pending(this.#shared.input)
  }

  /** Takes back what was given and is not used yet. */
  takeBack(): Buffer {
    const { thread, input } = this.#shared
    const bytes = Buffer.allocUnsafeSlow(this.unused)
    thread.c.BIO_read(input, addressOf(bytes), bytes.length)
    return bytes
  }

  /** Forgets what was given and is not used. */
  forget(): void {
    this.#shared.thread.c.BIO_ctrl(this.#shared.input, BIO_RESET, 0, 0)
  }

  /** What is to be sent, of all connections of the thread. */
  get output(): SslOutput {
    return this.#shared.output
  }

  /**
   * OpenSSL lets a session of TLS 1.3 begin anew each time it goes on, so that it would never end: the new tickets are made
   * for what is left of its time (ngx_ssl_info_callback).
   */
  #keepTime(address: number): void {
    const { c } = this.#shared.thread
    if (c.SSL_session_reused(address) !== 1) return
    this.#timed = true
    if (c.SSL_version(address) !== TLS_1_3) return
    const session = c.SSL_get_session(address)
    const now = Math.floor(Date.now() / 1000)
    const age = now - c.SSL_SESSION_get_time(session)
    const left = c.SSL_SESSION_get_timeout(session) - age
    if (age <= 0 || left <= 0) return
    c.SSL_SESSION_set_time(session, now)
    c.SSL_SESSION_set_timeout(session, left)
  }

  // ---- what was agreed on --------------------------------------------------------------------

  /** `TLSv1.3`. */
  get protocol(): string {
    const { thread } = this.#shared
    return thread.textAt(thread.c.SSL_get_version(this.#enter()))
  }

  /** The cipher, or empty. */
  get cipher(): string {
    const { thread } = this.#shared
    const cipher = thread.c.SSL_get_current_cipher(this.#enter())
    return cipher === 0 ? '' : thread.textAt(thread.c.SSL_CIPHER_get_name(cipher))
  }

  /** A session goes on. */
  get reused(): boolean {
    return this.#shared.thread.c.SSL_session_reused(this.#enter()) === 1
  }

  /** The protocol that was chosen, or empty. */
  get alpnProtocol(): string {
    const { thread } = this.#shared
    thread.setCell(1, 0)
    thread.c.SSL_get0_alpn_selected(this.#enter(), thread.cell(0), thread.cell(1))
    const size = thread.getCell(1)
    return size === 0 ? '' : thread.borrow(thread.getCell(0), size).latin1Slice()
  }

  /** The session in DER; undefined without one. */
  get session(): Buffer | undefined {
    const { thread } = this.#shared
    const session = thread.c.SSL_get_session(this.#enter())
    return session === 0 ? undefined : thread.derOf(thread.c.i2d_SSL_SESSION, session)
  }

  /** Our certificate, in DER. */
  get ownCertificate(): Buffer | undefined {
    return this.#certificate(this.#shared.thread.c.SSL_get_certificate(this.#enter()))
  }

  /** The peer's certificate, in DER. */
  get peerCertificate(): Buffer | undefined {
    return this.#certificate(this.#shared.thread.c.SSL_get0_peer_certificate(this.#enter()))
  }

  #certificate(address: number): Buffer | undefined {
    const { thread } = this.#shared
    return address === 0 ? undefined : thread.derOf(thread.c.i2d_X509, address)
  }

  /** OpenSSL's finding about the peer's certificate: 0 when there is nothing against it. */
  get verifyResult(): number {
    return this.#shared.thread.c.SSL_get_verify_result(this.#enter())
  }

  /** What such a number means. */
  verifyText(result: number): string {
    const { thread } = this.#shared
    return thread.textAt(thread.c.X509_verify_cert_error_string(result))
  }

  /** Certificates from the peer's own to the trusted one, in DER, as far as they are known. */
  peerChain(context: SslContext): readonly Buffer[] {
    const { c } = this.#shared.thread
    const address = this.#enter()
    const verified = c.SSL_get0_verified_chain(address)
    if (verified !== 0) return this.#certificates(verified)
    const own = c.SSL_get0_peer_certificate(address)
    return own === 0 ? [] : this.#chainOf(own, c.SSL_get_peer_cert_chain(address), context)
  }

  /** A session that goes on does not know the chain any more: it is looked for once more (ngx_ssl_ocsp_validate). */
  #chainOf(own: number, others: number, context: SslContext): readonly Buffer[] {
    const { c } = this.#shared.thread
    const search = c.X509_STORE_CTX_new()
    assert(search !== 0, 'there is memory for a search')
    const store = c.SSL_CTX_get_cert_store(context.address)
    let chain: readonly Buffer[] = []
    if (c.X509_STORE_CTX_init(search, store, own, others) === 1) {
      c.X509_verify_cert(search)
      chain = this.#certificates(c.X509_STORE_CTX_get0_chain(search))
    }
    c.X509_STORE_CTX_free(search)
    c.ERR_clear_error()
    return chain
  }

  #certificates(stack: number): readonly Buffer[] {
    const { c } = this.#shared.thread
    if (stack === 0) return []
    return Array.from({ length: c.OPENSSL_sk_num(stack) }, (_, i) => this.#certificate(c.OPENSSL_sk_value(stack, i))!)
  }
}
