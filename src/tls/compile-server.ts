/** From the directives of a server block to how it speaks TLS (ngx_http_ssl_merge_srv_conf). */
import { constants, createHash, X509Certificate } from 'node:crypto'
import { toBinary } from '../lib/bytes.ts'
import { errnoText } from '../lib/errno.ts'
import { resolveHost } from '../lib/resolve-host.ts'
import type { KeyLog, RecordSizes } from '../net/tls-server.ts'
import {
  type ContextOptions,
  contextOf,
  dhparamProblem,
  groupsProblem,
  type Pair,
  pairsProblem,
  type ServerContextOptions,
  type TicketKeySource,
} from '../net/tls-wire-context.ts'
import { RotatingKeys } from '../shared/rotating-keys.ts'
import { SessionRecords } from '../shared/session-records.ts'
import { StatusRecords } from '../shared/status-records.ts'
import { ZONE_SIZE_MIN, Zone } from '../shared/zone.ts'
import type { BlockContext, TreeServices } from '../tree/context.ts'
import { resolverOf } from '../tree/resolver.ts'
import type { HasSlots } from '../value/variables.ts'
import { type Commanded, contextSettings, failedText, forbidden, NO_ANTI_REPLAY, notCommanded } from './commands.ts'
import { plainDhparam } from './dhparam.ts'
import { DynamicPairs } from './dynamic-pairs.ts'
import { namedProblem, placeOf, SslLoader } from './loader.ts'
import type { OcspOptions } from './ocsp-check.ts'
import { parseResponder } from './ocsp-responder.ts'
import {
  NO_SSL,
  type SslContext,
  type SslServer,
  VERIFY_OFF,
  VERIFY_ON,
  VERIFY_OPTIONAL,
  VERIFY_OPTIONAL_NO_CA,
} from './server.ts'
import type { SslServerConf } from './server-directives.ts'
import { BuiltinSessions, type SessionCache, SharedSessions } from './session-cache.ts'
import { compileStapling } from './stapling.ts'
import { FileTicketKeys, SharedTicketKeys } from './ticket-keys.ts'

const SESSION_TAG = 'ngx_http_ssl_module'
const OCSP_TAG = 'ngx_http_ssl_module ocsp'
const CHAIN_ZONE = 'viaduct:ssl_verify_depth'
const TICKET_ZONE = 'viaduct:ssl_session_tickets'
const NO_DH = 'error:0480006C:PEM routines::no start line:Expecting: DH PARAMETERS'
const RECORD_SIZE_MIN = 64
const RECORD_SIZE_MAX = 16384
const VERIFY = { off: VERIFY_OFF, on: VERIFY_ON, optional: VERIFY_OPTIONAL, optional_no_ca: VERIFY_OPTIONAL_NO_CA }
const ALWAYS = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION | NO_ANTI_REPLAY

/** Declares the zones of a block, which are there whether a server speaks TLS with them or not. */
export function declareZones(
  { ssl_session_cache, ssl_ocsp_cache: ocsp }: Partial<SslServerConf>,
  at: TreeServices,
): void {
  const sessions = ssl_session_cache?.zone
  if (sessions !== undefined) at.zone(sessions.name, sessions.size, SESSION_TAG, sessions.at)
  if (ocsp !== undefined) at.zone(ocsp.name, ocsp.size, OCSP_TAG, ocsp.at)
}

/** Compiles a server's settings; problems are reported. */
export function compileSslServer<Subject extends HasSlots>(
  conf: SslServerConf,
  at: BlockContext<Subject>,
): SslServer<Subject> {
  const verify = VERIFY[conf.ssl_verify_client]
  const server: SslServer<Subject> = {
    context: undefined,
    verify,
    depth: conf.ssl_verify_depth,
    ordered: conf.ssl_prefer_server_ciphers,
    rejects: conf.ssl_reject_handshake,
    records: recordSizes(conf),
    longChains: verify === VERIFY_OFF ? undefined : longChains(at),
    keyLog: keyLogOf(conf.ssl_key_log, at),
  }
  const { ssl_certificate: own, ssl_certificate_key: keys } = conf
  if (own.length > keys.length) {
    at.fail(`no "ssl_certificate_key" is defined for certificate "${own.at(-1)!.template.source}"`)
    return NO_SSL
  }
  const zone = sessionZone(conf, at)
  if (own.length === 0 && !server.rejects) return server
  const compiled = new Compiler(conf, at, verify, zone).compile()
  return compiled === undefined ? server : { ...server, context: compiled }
}

/** What OpenSSL can make, and what is large enough to be worth a record. */
function recordSizes(conf: SslServerConf): RecordSizes {
  const sized = (bytes: number): number => Math.min(Math.max(bytes, RECORD_SIZE_MIN), RECORD_SIZE_MAX)
  const largest = sized(conf.ssl_buffer_size)
  if (!conf.ssl_dyn_rec_enable) return { largest, growing: undefined }
  return {
    largest,
    growing: {
      low: Math.min(sized(conf.ssl_dyn_rec_size_lo), largest),
      high: Math.min(sized(conf.ssl_dyn_rec_size_hi), largest),
      threshold: conf.ssl_dyn_rec_threshold,
      timeoutMs: conf.ssl_dyn_rec_timeout,
    },
  }
}

function keyLogOf(path: string | undefined, at: TreeServices): KeyLog | undefined {
  if (path === undefined) return undefined
  at.logFile(path)
  if (at.role !== 'worker') return undefined
  // The file as this configuration has it: a connection may outlive the time in which the path is known.
  const file = at.files.open(path)
  return (line) => void file.append(line)
}

function longChains(at: TreeServices): StatusRecords | undefined {
  const buffer = at.zone(CHAIN_ZONE, ZONE_SIZE_MIN, SESSION_TAG)
  const zone = buffer === undefined ? undefined : Zone.attach(CHAIN_ZONE, buffer, CHAIN_ZONE)
  return zone === undefined ? undefined : at.shared(CHAIN_ZONE, () => new StatusRecords(zone))
}

/** The zone is there even when the server speaks no TLS. */
function sessionZone({ ssl_session_cache: { zone } }: SslServerConf, at: TreeServices): SharedArrayBuffer | undefined {
  return zone === undefined ? undefined : at.zone(zone.name, zone.size, SESSION_TAG, zone.at)
}

class Compiler<Subject extends HasSlots> {
  readonly #conf: SslServerConf
  readonly #at: BlockContext<Subject>
  readonly #verify: number
  readonly #zone: SharedArrayBuffer | undefined
  readonly #files: SslLoader

  constructor(conf: SslServerConf, at: BlockContext<Subject>, verify: number, zone: SharedArrayBuffer | undefined) {
    this.#conf = conf
    this.#at = at
    this.#verify = verify
    this.#zone = zone
    this.#files = new SslLoader(at, conf.ssl_ciphers)
  }

  compile(): SslContext<Subject> | undefined {
    const conf = this.#conf
    if (!this.#possible()) return undefined
    const commanded = this.#commanded()
    const pairs = commanded === undefined ? undefined : this.#pairs(commanded)
    const trust = pairs === undefined ? undefined : this.#trust()
    const dhparam = trust === undefined ? undefined : this.#dhparam()
    const tickets = dhparam === undefined ? undefined : this.#ticketKeys()
    if (commanded === undefined || pairs === undefined || trust === undefined) return undefined
    if (dhparam === undefined || tickets === undefined) return undefined
    const server: ServerContextOptions = {
      sessionIdContext: this.#sessionIdContext(pairs, trust.trusted + trust.alsoTrusted + trust.crl),
      sessionIds: !conf.ssl_session_cache.off,
      sessionTimeoutS: conf.ssl_session_timeout,
      dhparam,
      compression: conf.ssl_certificate_compression,
      earlyData: conf.ssl_early_data && this.#mayRepeat(commanded),
      tickets: tickets.source,
    }
    const options = { ...contextSettings(commanded, conf.ssl_ciphers), pairs, ...trust, server }
    const choose = this.#chooser(options, commanded)
    if (choose === undefined) return undefined
    return {
      choose,
      requestCert: this.#verify !== VERIFY_OFF,
      speaks13: (commanded.secureOptions & constants.SSL_OP_NO_TLSv1_3) === 0 && commanded.maxVersion === 'TLSv1.3',
      tickets: (commanded.secureOptions & constants.SSL_OP_NO_TICKET) === 0,
      cache: this.#cache(),
      staple: compileStapling(conf, this.#at, this.#files, pairs, trust.alsoTrusted + trust.trusted, {
        ciphers: options.ciphers,
        ordered: conf.ssl_prefer_server_ciphers,
        usualGroups: commanded.curves === '',
      }),
      ocsp: this.#ocsp(),
    }
  }

  /** What contradicts itself. */
  #possible(): boolean {
    const { ssl_dyn_rec_enable, ssl_early_data, ssl_ech_file, ssl_stapling, ssl_certificate_compression, ssl_ocsp } =
      this.#conf
    if (ssl_early_data) this.#files.warnWithoutRing('ssl_early_data')
    if (ssl_dyn_rec_enable) this.#files.warnWithoutRing('ssl_dyn_rec_enable')
    if (ssl_ech_file.length > 0) this.#at.warn('"ssl_ech_file" is not supported on this platform, ignored')
    if (ssl_stapling && ssl_certificate_compression) {
      this.#at.fail('"ssl_stapling" is incompatible with "ssl_certificate_compression"')
      return false
    }
    if (ssl_ocsp !== 'off' && this.#verify === VERIFY_OPTIONAL_NO_CA) {
      this.#at.fail('"ssl_ocsp" is incompatible with "ssl_verify_client optional_no_ca"')
      return false
    }
    return true
  }

  /** OpenSSL notices repetitions only by sessions that it keeps itself, within one thread. */
  #mayRepeat({ secureOptions }: Commanded): boolean {
    if ((secureOptions & NO_ANTI_REPLAY) !== 0) return true
    this.#at.warn('"ssl_early_data" is ignored: there is no protection against repetition ("Options AntiReplay")')
    return false
  }

  #commanded(): Commanded | undefined {
    const conf = this.#conf
    let options = forbidden(conf.ssl_protocols) | ALWAYS
    if (conf.ssl_prefer_server_ciphers) options |= constants.SSL_OP_CIPHER_SERVER_PREFERENCE
    if (!conf.ssl_session_tickets) options |= constants.SSL_OP_NO_TICKET
    const commanded = notCommanded(options)
    if (!this.#files.useCiphers()) return undefined
    if (conf.ssl_ecdh_curve !== 'auto') {
      const problem = groupsProblem(conf.ssl_ecdh_curve, '')
      if (problem !== '') {
        return this.#files.fail(`SSL_CTX_set1_curves_list("${conf.ssl_ecdh_curve}") failed (SSL: ${problem})`)
      }
      commanded.curves = conf.ssl_ecdh_curve
    }
    return this.#files.command('ssl_conf_command', conf.ssl_conf_command, commanded) ? commanded : undefined
  }

  /** Certificates that are known when the configuration loads: none when variables name them. */
  #pairs(commanded: Commanded): readonly Pair[] | undefined {
    const { ssl_certificate: own, ssl_certificate_key: keys, ssl_password_file } = this.#conf
    if (!this.#files.usePasswords(ssl_password_file)) return undefined
    const pairs: Pair[] = []
    if (!this.#isDynamic()) {
      for (const [i, { template, prefix }] of own.entries()) {
        const certificate = placeOf({ template, prefix }, template.constant!)
        const pair = this.#files.pair(certificate, placeOf(keys[i]!, keys[i]!.template.constant!))
        if (pair === undefined) return undefined
        pairs.push(pair)
      }
    }
    if (commanded.certificate !== '') {
      const pair = this.#files.pair(commanded.certificate, commanded.key === '' ? commanded.certificate : commanded.key)
      if (pair === undefined) return undefined
      pairs.push(pair)
    }
    return lastOfEachKind(pairs)
  }

  #isDynamic(): boolean {
    const { ssl_certificate: own, ssl_certificate_key: keys } = this.#conf
    return [...own, ...keys.slice(0, own.length)].some(({ template }) => template.constant === undefined)
  }

  /** Whom we trust about clients. */
  #trust(): { readonly trusted: string; readonly alsoTrusted: string; readonly crl: string } | undefined {
    const { ssl_client_certificate: client, ssl_trusted_certificate: more, ssl_crl } = this.#conf
    const needed = this.#verify === VERIFY_ON || this.#verify === VERIFY_OPTIONAL
    if (needed && (client?.at.text ?? '') === '' && (more?.at.text ?? '') === '') {
      return this.#files.fail('no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client')
    }
    const first = this.#verify === VERIFY_OFF ? '' : this.#files.trusted(client)
    const second = first === undefined ? undefined : this.#files.trusted(more)
    const crl = second === undefined ? undefined : this.#files.crl(ssl_crl)
    if (first === undefined || second === undefined || crl === undefined) return undefined
    return { trusted: first, alsoTrusted: second, crl }
  }

  #dhparam(): string | undefined {
    const { ssl_dhparam: file } = this.#conf
    if (file === undefined || file.at.text === '') return ''
    const { text, errno } = this.#at.readRenewable(file.path)
    if (errno !== '') return this.#files.fail(namedProblem(file.path, errno))
    const plain = plainDhparam(text)
    if (plain === '') return this.#files.fail(`PEM_read_bio_DHparams("${file.path}") failed (SSL: ${NO_DH})`, file.at)
    const problem = dhparamProblem(plain, this.#conf.ssl_ciphers)
    return problem === ''
      ? plain
      : this.#files.fail(`SSL_CTX_set0_tmp_dh_pkey("${file.path}") failed (SSL: ${problem})`)
  }

  /**
   * Sessions are resumed only where they could have been made: the same certificates, the same way of verifying clients,
   * the same ones trusted (CVE-2025-23419).
   */
  #sessionIdContext(pairs: readonly Pair[], trust: string): string {
    const hash = createHash('sha256').update('HTTP')
    for (const { certificate } of pairs) hash.update(new X509Certificate(certificate).fingerprint256)
    if (this.#isDynamic()) for (const { template } of this.#conf.ssl_certificate) hash.update(template.source)
    if (this.#verify !== VERIFY_OFF) hash.update(`${this.#verify} ${this.#conf.ssl_verify_depth} ${trust}`)
    return hash.digest('base64').slice(0, 32)
  }

  /** Undefined when a file is not what it should be. */
  #ticketKeys(): { readonly source: TicketKeySource | undefined } | undefined {
    const { ssl_session_ticket_key: files, ssl_session_timeout: timeoutS } = this.#conf
    const keys: Buffer[] = []
    for (const { path, at } of files) {
      const { text, errno } = this.#at.readRenewable(path)
      if (errno !== '') return this.#files.fail(`open() "${path}" failed ${errnoText(errno)}`, at)
      const bytes = Buffer.from(toBinary(text), 'latin1')
      if (bytes.length !== 48 && bytes.length !== 80) return this.#files.fail(`"${path}" must be 48 or 80 bytes`, at)
      keys.push(bytes)
    }
    if (keys.length > 0) return { source: new FileTicketKeys(keys) }
    const buffer = this.#at.zone(TICKET_ZONE, ZONE_SIZE_MIN, SESSION_TAG)
    const zone = buffer === undefined ? undefined : Zone.attach(TICKET_ZONE, buffer, TICKET_ZONE)
    if (zone === undefined) return { source: undefined }
    const shared = this.#at.shared(TICKET_ZONE, () => new RotatingKeys(zone))
    return { source: new SharedTicketKeys(shared, timeoutS) }
  }

  #ocsp(): OcspOptions | undefined {
    const { ssl_ocsp: mode, ssl_ocsp_responder: text, ssl_ocsp_cache: zone } = this.#conf
    const buffer = zone === undefined ? undefined : this.#at.zone(zone.name, zone.size, OCSP_TAG, zone.at)
    if (mode === 'off' || this.#verify === VERIFY_OFF) return undefined
    const responder = text === undefined || text === '' ? undefined : parseResponder(text)
    if (typeof responder === 'string') {
      return this.#files.fail(`${responder} in OCSP responder "${text}" in "ssl_ocsp_responder"`)
    }
    const attached = buffer === undefined ? undefined : Zone.attach(zone!.name, buffer, OCSP_TAG)
    return {
      leafOnly: mode === 'leaf',
      responder: responder === undefined ? undefined : { ...responder, addresses: resolveHost(responder.host) },
      cache:
        attached === undefined
          ? undefined
          : this.#at.shared(`${OCSP_TAG} ${zone!.name}`, () => new StatusRecords(attached)),
      resolver: resolverOf(this.#at.scope, this.#at),
    }
  }

  #cache(): SessionCache | undefined {
    const {
      ssl_session_cache: { builtin, zone },
      ssl_session_timeout: timeoutS,
    } = this.#conf
    const near = builtin > 0 ? new BuiltinSessions(builtin, timeoutS) : undefined
    if (zone === undefined || this.#zone === undefined) return near
    const attached = Zone.attach(zone.name, this.#zone, SESSION_TAG)
    if (attached === undefined) return near
    const records = this.#at.shared(`${SESSION_TAG} ${zone.name}`, () => new SessionRecords(attached))
    return new SharedSessions(records, timeoutS, near)
  }

  /** How the context of a connection is found. */
  #chooser(options: ContextOptions, { others }: Commanded): SslContext<Subject>['choose'] | undefined {
    const { ssl_certificate: own, ssl_certificate_key: keys } = this.#conf
    const mismatch = pairsProblem(options.pairs)
    const fixed = mismatch === '' ? contextOf(options) : { problem: mismatch }
    if ('command' in fixed) {
      const { name, value, at } = others[fixed.command]!
      return this.#files.fail(failedText(name, value, fixed.problem), at)
    }
    if ('problem' in fixed) {
      const last = keys.at(-1)
      const key = last === undefined ? '' : this.#files.toldKey(placeOf(last, last.template.source))
      return this.#files.fail(`SSL_CTX_use_PrivateKey("${key}") failed (SSL: ${fixed.problem})`)
    }
    if (!this.#isDynamic()) return () => fixed.made
    const sources = own.map((certificate, i) => ({
      certificate,
      certificateText: this.#at.text(certificate.template),
      key: keys[i]!,
      keyText: this.#at.text(keys[i]!.template),
    }))
    const dynamic = new DynamicPairs(sources, this.#files, this.#conf.ssl_certificate_cache, options)
    return (r) => dynamic.choose(r!())
  }
}

/** OpenSSL holds one certificate for each kind of key: a later one takes the place. */
function lastOfEachKind(pairs: readonly Pair[]): readonly Pair[] {
  return [...new Map(pairs.map((pair) => [keyKind(pair), pair])).values()]
}

function keyKind({ certificate }: Pair): string {
  return new X509Certificate(certificate).publicKey.asymmetricKeyType ?? ''
}
