/**
 * Contexts of OpenSSL (SSL_CTX): what connections of one kind have in common. A context is made here, and freed when nobody
 * in this thread can reach it any more; connections hold on to theirs by themselves.
 */
import { X509Certificate } from 'node:crypto'
import { assert } from '../lib/assert.ts'
import { addressOf } from './openssl.ts'
import { SSL_CONTEXT } from './ssl-estate.ts'
import { type SslThread, sslThread, type TicketKeys } from './ssl-thread.ts'

/** Numbers of SSL_CTX_ctrl, and of its like for callbacks (openssl/ssl.h). */
const MODE = 33
const SESSION_CACHE_MODE = 44
const SERVER_NAME_CALLBACK = 53
const STATUS_CALLBACK = 63
const TICKET_KEY_CALLBACK = 72
const CHAIN_CERT = 89
const GROUPS_LIST = 92
const SIGALGS_LIST = 98
const MIN_VERSION = 123
const MAX_VERSION = 124

/** Buffers are given back while nothing is on its way; certificates are sent as they are configured. */
const MODE_RELEASE_BUFFERS = 0x10
const MODE_NO_AUTO_CHAIN = 8
/** Sessions are kept by us: none in the context, and none goes by itself. */
const CACHE_CLIENT_SERVER = 3
const CACHE_NO_INTERNAL = 0x300
const CACHE_NO_AUTO_CLEAR = 0x80
/** What nginx sets, too. */
const OP_IGNORE_UNEXPECTED_EOF = 1 << 7
const OP_NO_ANTI_REPLAY = 1 << 24
const OP_NO_CERTIFICATE_COMPRESSION = 2 ** 32 + 2 ** 33
/** Requests of early data are at most this long (NGX_SSL_BUFSIZE). */
const EARLY_DATA_MAX = 16384
/** Certificates are compressed by one of these, the best first: brotli, zstd, zlib (TLSEXT_comp_cert_*). */
const COMPRESSIONS: Int32Array = Int32Array.of(2, 3, 1)
const CRL_CHECK_ALL = 4 | 8

const VERSIONS = { TLSv1: 0x0301, 'TLSv1.1': 0x0302, 'TLSv1.2': 0x0303, 'TLSv1.3': 0x0304 } as const

/** Commands as they stand in files, for both sides, with certificates, and errors that are told (SSL_CONF_FLAG_*). */
const CONF_FLAGS = 0x02 | 0x04 | 0x08 | 0x10 | 0x20

/** What a context is made of; texts are PEM, empty ones: none. */
export interface SslContextOptions {
  readonly minVersion: keyof typeof VERSIONS
  readonly maxVersion: keyof typeof VERSIONS
  /** SSL_OP_* bits. */
  readonly secureOptions: number
  /** Of TLS 1.3, too, whose names begin with `TLS_`. */
  readonly ciphers: string
  readonly curves: string
  readonly signatureAlgorithms: string
  /** Peers that are asked for a certificate are told whom we trust. */
  readonly trusted: string
  /** More of those, which peers are not told. */
  readonly alsoTrusted?: string
  readonly crl: string
  readonly pairs: readonly { readonly certificate: string; readonly key: string }[]
  /** Names and values of what OpenSSL is told in the words of its own configuration (SSL_CONF_cmd), after all the rest. */
  readonly commands?: readonly (readonly [name: string, value: string])[]
  readonly server?: {
    readonly sessionIdContext: string
    /** False: sessions are not resumed by their ids, and get none. */
    readonly sessionIds: boolean
    readonly sessionTimeoutS: number
    readonly dhparam: string
    readonly compression: boolean
    readonly earlyData: boolean
    readonly tickets: TicketKeys | undefined
  }
}

/** Frees contexts that nobody can reach any more. */
const unreachable = new FinalizationRegistry<Held>(({ thread, address, place }) => {
  thread.estate?.delete(place)
  thread.c.SSL_CTX_free(address)
})

/** A context that is to be freed once. */
interface Held {
  readonly thread: SslThread
  readonly address: number
  /** Where it is noted. */
  readonly place: number
}

/** One context. */
export class SslContext {
  readonly thread: SslThread
  /** For ssl.ts alone. */
  readonly address: number
  readonly tickets: TicketKeys | undefined
  readonly earlyData: boolean
  #staples = false
  #keepsSessions = false
  #logsKeys = false

  private constructor(thread: SslThread, address: number, { server }: SslContextOptions) {
    this.thread = thread
    this.address = address
    this.tickets = server?.tickets
    this.earlyData = server?.earlyData === true
    unreachable.register(this, { thread, address, place: thread.estate?.add(address, SSL_CONTEXT) ?? 0 })
  }

  /** Makes a context; a text says what OpenSSL has against it, as nginx logs it. */
  static open(options: SslContextOptions): SslContext | string {
    const thread = sslThread()
    if (typeof thread === 'string') return thread
    thread.c.ERR_clear_error()
    const address = thread.c.SSL_CTX_new(thread.c.TLS_method())
    const isMade = address !== 0 && new Maker(thread, address).setUp(options)
    if (isMade) return new SslContext(thread, address, options)
    const problem = thread.errors()
    if (address !== 0) thread.c.SSL_CTX_free(address)
    return problem
  }

  // OpenSSL asks only where it is told to: each question costs a call into JavaScript.

  /** The answers about our certificates are asked for. */
  askForStaples(): void {
    if (this.#staples) return
    this.#staples = true
    const { c, callbacks } = this.thread
    c.SSL_CTX_callback_ctrl(this.address, STATUS_CALLBACK, callbacks.acknowledge)
  }

  /** Sessions are told, and asked for. */
  askForSessions(): void {
    if (this.#keepsSessions) return
    this.#keepsSessions = true
    const { c, callbacks } = this.thread
    c.SSL_CTX_sess_set_new_cb(this.address, callbacks.newSession)
    c.SSL_CTX_sess_set_get_cb(this.address, callbacks.getSession)
  }

  /** Secrets are told. */
  askForKeys(): void {
    if (this.#logsKeys) return
    this.#logsKeys = true
    const { c, callbacks } = this.thread
    c.SSL_CTX_set_keylog_callback(this.address, callbacks.keyLog)
  }
}

/** Sets up a new context. Each method returns false when OpenSSL refuses. */
class Maker {
  readonly #thread: SslThread
  readonly #context: number
  /** Keeps alive what is being read. */
  readonly #texts: Buffer[] = []

  constructor(thread: SslThread, context: number) {
    this.#thread = thread
    this.#context = context
  }

  setUp(options: SslContextOptions): boolean {
    this.#basics(options)
    return (
      this.#algorithms(options) &&
      options.pairs.every((pair) => this.#pair(pair.certificate, pair.key)) &&
      this.#trust(options) &&
      this.#server(options.server) &&
      this.#command(options.commands ?? [])
    )
  }

  #control(what: number, value: number, pointer: number): boolean {
    return this.#thread.c.SSL_CTX_ctrl(this.#context, what, value, pointer) === 1
  }

  #basics({ minVersion, maxVersion, secureOptions, server }: SslContextOptions): void {
    const { c, callbacks } = this.#thread
    this.#control(MODE, MODE_RELEASE_BUFFERS | MODE_NO_AUTO_CHAIN, 0)
    this.#control(MIN_VERSION, VERSIONS[minVersion], 0)
    this.#control(MAX_VERSION, VERSIONS[maxVersion], 0)
    this.#control(SESSION_CACHE_MODE, CACHE_CLIENT_SERVER | CACHE_NO_INTERNAL | CACHE_NO_AUTO_CLEAR, 0)
    const always = OP_IGNORE_UNEXPECTED_EOF | OP_NO_ANTI_REPLAY
    const compression = server?.compression === true ? 0 : OP_NO_CERTIFICATE_COMPRESSION
    // Bits above 32 are no matter of bit operations.
    c.SSL_CTX_set_options(this.#context, ((secureOptions | always) >>> 0) + compression)
    if (server === undefined) return
    c.SSL_CTX_set_alpn_select_cb(this.#context, callbacks.alpn, 0)
    c.SSL_CTX_callback_ctrl(this.#context, SERVER_NAME_CALLBACK, callbacks.acknowledge)
  }

  #algorithms({ ciphers, curves, signatureAlgorithms }: SslContextOptions): boolean {
    const { c } = this.#thread
    const names = ciphers.split(':')
    const suites = names.filter((name) => name.startsWith('TLS_')).join(':')
    const others = names.filter((name) => !name.startsWith('TLS_')).join(':')
    const lists = [
      suites === '' || withText(suites, (at) => c.SSL_CTX_set_ciphersuites(this.#context, at) === 1),
      others === '' || withText(others, (at) => c.SSL_CTX_set_cipher_list(this.#context, at) === 1),
      curves === '' || withText(curves, (at) => this.#control(GROUPS_LIST, 0, at)),
      signatureAlgorithms === '' || withText(signatureAlgorithms, (at) => this.#control(SIGALGS_LIST, 0, at)),
    ]
    return lists.every((isTaken) => isTaken)
  }

  /** A certificate with those that lead to its root, and its key. */
  #pair(certificate: string, key: string): boolean {
    const { c } = this.#thread
    const context = this.#context
    let isFirst = true
    const areTaken = this.#each(certificate, c.PEM_read_bio_X509_AUX, (own) => {
      // Chains count their references themselves; an own certificate is counted by the context.
      const isTaken = isFirst ? c.SSL_CTX_use_certificate(context, own) === 1 : this.#control(CHAIN_CERT, 1, own)
      isFirst = false
      c.X509_free(own)
      return isTaken
    })
    return (
      areTaken &&
      !isFirst &&
      this.#each(key, c.PEM_read_bio_PrivateKey, (own) => {
        const isTaken = c.SSL_CTX_use_PrivateKey(context, own) === 1
        c.EVP_PKEY_free(own)
        return isTaken
      })
    )
  }

  #trust({ trusted, alsoTrusted = '', crl }: SslContextOptions): boolean {
    const { c } = this.#thread
    const store = c.SSL_CTX_get_cert_store(this.#context)
    const told = new Set<string>()
    const add = (text: string, isTold: boolean): boolean =>
      this.#each(text, c.PEM_read_bio_X509_AUX, (one) => {
        let isTaken = c.X509_STORE_add_cert(store, one) === 1
        const { subject } = new X509Certificate(this.#thread.derOf(c.i2d_X509, one))
        if (isTold && !told.has(subject)) isTaken &&= c.SSL_CTX_add_client_CA(this.#context, one) === 1
        told.add(subject)
        c.X509_free(one)
        return isTaken
      })
    if (!add(trusted, true) || !add(alsoTrusted, false)) return false
    if (crl === '') return true
    c.X509_STORE_set_flags(store, CRL_CHECK_ALL)
    return this.#each(crl, c.PEM_read_bio_X509_CRL, (one) => {
      const isTaken = c.X509_STORE_add_crl(store, one) === 1
      c.X509_CRL_free(one)
      return isTaken
    })
  }

  #server(server: SslContextOptions['server']): boolean {
    if (server === undefined) return true
    const { c, callbacks } = this.#thread
    const context = this.#context
    const id = Buffer.from(server.sessionIdContext, 'latin1')
    if (c.SSL_CTX_set_session_id_context(context, addressOf(id), id.length) !== 1) return false
    if (!server.sessionIds) this.#control(SESSION_CACHE_MODE, 0, 0)
    c.SSL_CTX_set_timeout(context, server.sessionTimeoutS)
    if (server.tickets !== undefined) c.SSL_CTX_callback_ctrl(context, TICKET_KEY_CALLBACK, callbacks.ticketKey)
    if (server.earlyData) c.SSL_CTX_set_max_early_data(context, EARLY_DATA_MAX)
    if (server.compression) {
      c.SSL_CTX_set1_cert_comp_preference(context, addressOf(new Uint8Array(COMPRESSIONS.buffer)), COMPRESSIONS.length)
      // Where this node has none of them, certificates are sent as they are.
      c.SSL_CTX_compress_certs(context, 0)
      c.ERR_clear_error()
    }
    if (server.dhparam === '') return true
    return this.#each(
      server.dhparam,
      (bio) => c.PEM_read_bio_Parameters(bio, 0),
      (own) => {
        if (c.SSL_CTX_set0_tmp_dh_pkey(context, own) === 1) return true
        c.EVP_PKEY_free(own)
        return false
      },
    )
  }

  #command(commands: NonNullable<SslContextOptions['commands']>): boolean {
    if (commands.length === 0) return true
    const { c } = this.#thread
    const conf = c.SSL_CONF_CTX_new()
    assert(conf !== 0, 'there is memory for commands')
    c.SSL_CONF_CTX_set_flags(conf, CONF_FLAGS)
    c.SSL_CONF_CTX_set_ssl_ctx(conf, this.#context)
    const areTaken = commands.every(([name, value]) =>
      withText(name, (nameAt) => withText(value, (valueAt) => c.SSL_CONF_cmd(conf, nameAt, valueAt) > 0)),
    )
    const isDone = areTaken && c.SSL_CONF_CTX_finish(conf) === 1
    c.SSL_CONF_CTX_free(conf)
    return isDone
  }

  /** Reads the blocks of one kind in a PEM text; `take` owns what it is given. */
  #each(pem: string, read: (...args: number[]) => number, take: (one: number) => boolean): boolean {
    const { c } = this.#thread
    const bytes = Buffer.from(pem, 'latin1')
    if (bytes.length === 0) return true
    this.#texts.push(bytes)
    const bio = c.BIO_new_mem_buf(addressOf(bytes), bytes.length)
    assert(bio !== 0, 'there is memory for a BIO')
    let isTaken = true
    for (let one = read(bio, 0, 0, 0); one !== 0 && isTaken; one = isTaken ? read(bio, 0, 0, 0) : 0) isTaken = take(one)
    c.BIO_free(bio)
    // There are always fewer blocks than are asked for.
    if (isTaken) c.ERR_clear_error()
    return isTaken
  }
}

/** Calls with the address of a text that ends with a zero. */
function withText(text: string, call: (address: number) => boolean): boolean {
  const bytes = Buffer.from(`${text}\0`, 'latin1')
  return call(addressOf(bytes))
}
