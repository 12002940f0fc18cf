/**
 * Makes the contexts that TLS connections to back ends share: protocols, ciphers, what is trusted, who we are. Node
 * reports what OpenSSL does not like by exceptions; here they become texts, in the words of nginx.
 */
import { createPrivateKey, hash, X509Certificate } from 'node:crypto'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import { assert } from '../lib/assert.ts'
import { Lru } from '../lib/lru.ts'
import { SslContext, type SslContextOptions } from '../sys/ssl-context.ts'
import type { TicketKeys } from '../sys/ssl-thread.ts'
import { expectsTlsOnRing, speaksTlsOnRing } from './engine.ts'
import type { SecureContextHandle } from './tls-wire.ts'
import { sslErrorText } from './tls-wire-verify.ts'

/** Contexts that stay although nobody uses them: certificates chosen by variables. */
const CONTEXTS_MAX = 256
/** Lists of ciphers and groups whose checks are remembered. */
const CHECKS_MAX = 64
/** What OpenSSL says when a key is not that of the certificate. */
const NO_KEY = 'error:05800074:x509 certificate routines::key values mismatch'
/** How certificates may be compressed (RFC 8879), the best first. */
const COMPRESSIONS = ['brotli', 'zstd', 'zlib'] as const
/** What Node says when no cipher of a list is known, as OpenSSL says it. */
const NO_CIPHER = 'error:0A0000B9:SSL routines::no cipher match'
/** A list of ciphers with which certificates may be as weak as they like. */
const ANY_STRENGTH = 'DEFAULT:@SECLEVEL=0'

/** What a context of either engine is made of. Two equal ones make the same context. */
export interface ContextOptions extends SslContextOptions {
  /** Certificates of ours, of different kinds. */
  readonly pairs: readonly Pair[]
  /** What only a server has. */
  readonly server?: ServerContextOptions
}

/** A certificate, with those that lead to its root, and the key; PEM. */
export interface Pair {
  readonly certificate: string
  readonly key: string
}

/** What contexts for clients have besides. */
export interface ServerContextOptions {
  /** Sessions of contexts that differ in this are not resumed. At most 32 chars. */
  readonly sessionIdContext: string
  /** False: sessions are not resumed by their ids, and get none; Node's engine gives them one all the same. */
  readonly sessionIds: boolean
  readonly sessionTimeoutS: number
  /** Diffie-Hellman parameters in PEM; empty: none. */
  readonly dhparam: string
  readonly compression: boolean
  /** Requests may come with the client's first message; only OpenSSL's own engine can do that. */
  readonly earlyData: boolean
  /** Who knows the keys of tickets. */
  readonly tickets: TicketKeySource | undefined
}

/** Answers OpenSSL's question for the key of a ticket, in the form that Node wants: see ticket-keys.ts. */
export interface TicketKeySource extends TicketKeys {
  /** Equal ones have the same keys. */
  readonly id: string
  answer(name: Buffer, encrypts: boolean, is13: boolean): unknown[]
}

/** Node's own object, as far as it is used without Node's wrapping. */
interface NativeContext {
  addCACert(pem: string): void
  onticketkeycallback: (name: Buffer, iv: Buffer, encrypts: boolean) => unknown[]
  enableTicketKeyCallback(): void
}

/** A text that says what is wrong (and which of `commands` it is about), or the thing itself. */
export type Made<T> =
  | { readonly made: T }
  | { readonly problem: string }
  | { readonly problem: string; readonly command: number }

/** The handshake whose first message the engine is given: tickets are asked about from within. */
export const handshake: { is13: boolean } = { is13: false }

const recent = new Lru<string, SecureContextHandle>(CONTEXTS_MAX)
/** All that are in use, so that a reload makes none anew. */
const inUse = new Map<string, WeakRef<SecureContextHandle>>()
const unused = new FinalizationRegistry<string>((key) => {
  if (inUse.get(key)?.deref() === undefined) inUse.delete(key)
})
const checked = new Lru<string, string>(CHECKS_MAX)

/** Makes a context, or finds the one that was made of the same options. */
export function contextOf(options: ContextOptions): Made<SecureContextHandle> {
  const text = JSON.stringify(options, (name, value) =>
    name === 'tickets' ? (value as TicketKeySource | undefined)?.id : value,
  )
  const key = hash('sha256', text, 'base64')
  const known = recent.get(key) ?? inUse.get(key)?.deref()
  if (known !== undefined) return { made: known }
  const made = Context.open(options)
  if ('problem' in made) return made
  recent.set(key, made.made)
  inUse.set(key, new WeakRef(made.made))
  unused.register(made.made, key)
  return made
}

/** One context for either engine, made when it is needed: which one that is may be found out after this. */
class Context implements SecureContextHandle {
  readonly #options: ContextOptions
  #node: SecureContext | undefined
  #ssl: SslContext | undefined

  private constructor(options: ContextOptions, node: SecureContext | undefined, ssl: SslContext | undefined) {
    this.#options = options
    this.#node = node
    this.#ssl = ssl
  }

  static open(options: ContextOptions): Made<Context> {
    if (speaksTlsOnRing()) {
      const ssl = SslContext.open(options)
      return typeof ssl === 'string' ? { problem: ssl } : { made: new Context(options, undefined, ssl) }
    }
    const node = nodeContext(options)
    if ('problem' in node) return node
    return (expectsTlsOnRing() && refusal(options)) || { made: new Context(options, node.made, undefined) }
  }

  get context(): unknown {
    if (this.#node === undefined) {
      const made = nodeContext(this.#options)
      assert('made' in made, 'both engines take the same')
      this.#node = made.made
    }
    return this.#node.context
  }

  get ssl(): SslContext {
    if (this.#ssl === undefined) {
      const made = SslContext.open(this.#options)
      assert(typeof made !== 'string', 'both engines take the same')
      this.#ssl = made
    }
    return this.#ssl
  }
}

/** What OpenSSL has against commands, which Node has no options for: they are tried where TLS will be on the ring. */
function refusal(options: ContextOptions) {
  const { commands = [] } = options
  for (const command of commands.keys()) {
    const problem = SslContext.open({ ...options, commands: commands.slice(0, command + 1) })
    if (typeof problem === 'string') return { problem, command }
  }
  return undefined
}

function nodeContext(options: ContextOptions): Made<SecureContext> {
  const made = tried(() => secureContext(options))
  const tickets = options.server?.tickets
  if ('made' in made && tickets !== undefined) answerTickets(made.made, tickets)
  return made
}

/**
 * Node tells peers all whom it is told to trust, each time it is told. Those that a context takes over from the thread's
 * defaults are trusted without a word, so the defaults are these for a moment; nothing else here uses them.
 */
function secureContext(options: ContextOptions): SecureContext {
  const tls = process.getBuiltinModule('node:tls')
  const told = pemBlocks(options.trusted, 'CERTIFICATE')
  const silent = pemBlocks(options.alsoTrusted ?? '', 'CERTIFICATE')
  const { ca, ...rest } = nodeOptions(options)
  if (told.length < 2 && silent.length === 0) return tls.createSecureContext({ ...rest, ca })
  tls.setDefaultCACertificates([...told, ...silent].map(plainCertificate))
  const made = tls.createSecureContext(rest)
  tls.setDefaultCACertificates([])
  const native = made.context as NativeContext // What createSecureContext wraps.
  const subjects = new Map(told.map((pem) => [new X509Certificate(pem).subject, pem]))
  for (const pem of subjects.values()) native.addCACert(pem)
  return made
}

/** OpenSSL's own form of a trusted certificate is not taken everywhere. */
function plainCertificate(pem: string): string {
  return pem.includes('TRUSTED') ? new X509Certificate(pem).toString() : pem
}

function answerTickets({ context }: SecureContext, tickets: TicketKeySource): void {
  const native = context as NativeContext // What createSecureContext wraps.
  native.onticketkeycallback = (name, _iv, encrypts) => tickets.answer(name, encrypts, handshake.is13)
  native.enableTicketKeyCallback()
}

/** What OpenSSL says about a cipher list, or empty when there is nothing to say. */
export function cipherProblem(ciphers: string): string {
  // Node takes it for its own list.
  if (ciphers === '') return 'error:0A0000B9:SSL routines::no cipher match'
  return once(`ciphers ${ciphers}`, () => problemOf(attempt({ ca: [], ciphers })))
}

/** Whether OpenSSL takes the curves or signature algorithms. */
export function groupsProblem(curves: string, signatureAlgorithms: string): string {
  return once(`groups ${curves} ${signatureAlgorithms}`, () =>
    problemOf(attempt({ ca: [], ...groups(curves, signatureAlgorithms) })),
  )
}

function once(question: string, answer: () => string): string {
  const known = checked.get(question) ?? answer()
  checked.set(question, known)
  return known
}

/** Checks the certificate of this name with its chain; `ciphers` may name the security level that it must do for. */
export function certificateProblem(name: string, pem: string, ciphers: string): string {
  const where = `cannot load certificate "${name}": PEM_read_bio_X509_AUX() failed (SSL:`
  if (!pem.includes('-----BEGIN')) return `${where} error:0480006C:PEM routines::no start line)`
  const problem = problemOf(attempt({ ca: [], cert: pem, ciphers }))
  if (problem === '') return ''
  const isWeak = problemOf(attempt({ ca: [], cert: pem, ciphers: ANY_STRENGTH })) === ''
  return isWeak ? `SSL_CTX_use_certificate("${name}") failed (SSL: ${problem})` : `${where} ${problem})`
}

/** Checks a list of trusted certificates. */
export function trustedProblem(pem: string): string {
  const blocks = pemBlocks(pem, 'CERTIFICATE')
  if (blocks.length === 0) return 'PEM_read_bio_X509() failed (SSL: error:0480006C:PEM routines::no start line)'
  for (const block of blocks) {
    const text = problemOf(tried(() => new X509Certificate(block)))
    if (text !== '') return `PEM_read_bio_X509() failed (SSL: ${text})`
  }
  return ''
}

/** Checks a list of revocations. */
export function crlProblem(pem: string): string {
  const blocks = pemBlocks(pem, 'X509 CRL')
  if (blocks.length === 0) return 'PEM_read_bio_X509_CRL() failed (SSL: error:0480006C:PEM routines::no start line)'
  const text = problemOf(attempt({ ca: [], crl: [...blocks] }))
  return text === '' ? '' : `PEM_read_bio_X509_CRL() failed (SSL: ${text})`
}

/** Opens a private key with the first password that fits; one that is not encrypted needs none. */
export function openKey(pem: string, passwords: readonly string[]): Made<string> {
  let problem = ''
  for (const passphrase of passwords.length === 0 ? [''] : passwords) {
    const key = tried(() => createPrivateKey({ key: pem, passphrase }).export({ type: 'pkcs8', format: 'pem' }))
    if ('made' in key) return { made: String(key.made) }
    problem = key.problem
  }
  return { problem: `PEM_read_bio_PrivateKey() failed (SSL: ${problem})` }
}

/** Whether OpenSSL takes the Diffie-Hellman parameters; the security level that `ciphers` may name decides which. */
export function dhparamProblem(dhparam: string, ciphers: string): string {
  return problemOf(attempt({ ca: [], dhparam, ciphers }))
}

/** Whether each certificate has its key among the keys; OpenSSL says nothing when the kinds of both differ. */
export function pairsProblem(pairs: readonly Pair[]): string {
  const keys = pairs.map(({ key }) => createPrivateKey(key))
  for (const { certificate } of pairs) {
    const own = new X509Certificate(certificate)
    if (!keys.some((key) => own.checkPrivateKey(key))) return NO_KEY
  }
  return ''
}

function nodeOptions(options: ContextOptions): SecureContextOptions {
  const { pairs, crl, trusted, server } = options
  return {
    // Without a list Node would trust its own.
    ca: trusted === '' ? [] : trusted,
    minVersion: options.minVersion,
    maxVersion: options.maxVersion,
    secureOptions: options.secureOptions,
    ciphers: options.ciphers,
    ...groups(options.curves, options.signatureAlgorithms),
    ...(crl === '' ? {} : { crl: [...pemBlocks(crl, 'X509 CRL')] }),
    ...(pairs.length === 0 ? {} : { cert: pairs.map((p) => p.certificate), key: pairs.map((p) => p.key) }),
    ...(server === undefined ? {} : serverOptions(server)),
  }
}

function serverOptions({ sessionIdContext, sessionTimeoutS, dhparam, compression }: ServerContextOptions) {
  return {
    sessionIdContext,
    sessionTimeout: sessionTimeoutS,
    ...(dhparam === '' ? {} : { dhparam }),
    ...(compression ? { certificateCompression: COMPRESSIONS } : {}),
  }
}

function groups(curves: string, sigalgs: string): SecureContextOptions {
  return { ...(curves === '' ? {} : { ecdhCurve: curves }), ...(sigalgs === '' ? {} : { sigalgs }) }
}

function attempt(options: SecureContextOptions): Made<SecureContext> {
  // Loaded when first needed: most configurations speak no TLS, and start sooner without.
  return tried(() => process.getBuiltinModule('node:tls').createSecureContext(options))
}

function tried<T>(make: () => T): Made<T> {
  // tidy: OpenSSL's complaints come as exceptions, when something is loaded and not per byte
  try {
    return { made: make() }
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'ERR_SSL_NO_CIPHER_MATCH') return { problem: NO_CIPHER }
    return { problem: error instanceof Error ? sslErrorText(error) : String(error) }
  }
}

function problemOf(made: Made<unknown>): string {
  return 'problem' in made ? made.problem : ''
}

/** The certificates in a text, each for itself. */
export function pemCertificates(pem: string): readonly string[] {
  return pemBlocks(pem, 'CERTIFICATE')
}

function pemBlocks(pem: string, kind: string): readonly string[] {
  return pem.match(new RegExp(`-----BEGIN (?:TRUSTED )?${kind}-----[^]*?-----END (?:TRUSTED )?${kind}-----`, 'g')) ?? []
}
