/**
 * From `proxy_ssl_*` to how one connection speaks TLS (ngx_http_proxy_set_ssl, ngx_http_upstream_ssl_name). All that
 * does not depend on variables is loaded, checked and made into a context once, when the location attaches.
 */
import { createHash } from 'node:crypto'
import { parseIp } from '../../../lib/ip.ts'
import { Lru } from '../../../lib/lru.ts'
import type { LogFile } from '../../../log/log-files.ts'
import type { NoTls, TlsSettings, TlsTarget } from '../../../net/tls-client.ts'
import { type ContextOptions, contextOf, type Pair } from '../../../net/tls-wire-context.ts'
import { type Commanded, contextSettings, failedText, forbidden, notCommanded } from '../../../tls/commands.ts'
import { fileProblem, keyFile, type Place, placeFor, placeOf, readPem, SslLoader } from '../../../tls/loader.ts'
import { PemFiles } from '../../../tls/pem-files.ts'
import type { AttachContext } from '../../compile/module.ts'
import type { Request } from '../../request/request.ts'
import type { SslConf } from '../directives/ssl.ts'

/** Settings that stay although nobody asks for them. */
const SETTINGS_MAX = 256
const NAMES_MAX = 1024

/** How a location connects. */
export interface SslTargets {
  /** For a request to `host`. */
  target(r: Request, host: string): TlsTarget | NoTls
}

interface Ways {
  readonly key: string
  readonly settings: TlsSettings
}

/** By key: sessions outlive a reload, and locations that are alike share them. */
const known = new Lru<string, Ways>(SETTINGS_MAX)
/** The same of those that log their secrets, for as long as that file is in use. */
const logged = new WeakMap<LogFile, Lru<string, Ways>>()

function knownWith(keyLog: LogFile | undefined): Lru<string, Ways> {
  if (keyLog === undefined) return known
  const found = logged.get(keyLog) ?? new Lru<string, Ways>(SETTINGS_MAX)
  logged.set(keyLog, found)
  return found
}

/**
 * Compiles a location's settings; problems are reported. `family` is `proxy`, `grpc`, `uwsgi`, `alpn` the protocol that
 * back ends are asked for, if any.
 */
export function compileSsl(family: string, conf: SslConf, at: AttachContext, alpn = ''): SslTargets {
  const loader = new Loader(family, conf, at)
  const options = loader.options()
  const fixed = options === undefined ? undefined : loader.ways(options)
  if (options === undefined || fixed === undefined || 'problem' in fixed) {
    if (fixed !== undefined && 'problem' in fixed) at.fail(fixed.problem)
    return { target: () => NOT_CONFIGURED }
  }
  const certificates = loader.dynamic(options)
  const nameOf = conf.ssl_name === undefined ? undefined : at.text(conf.ssl_name)
  const matters = conf.ssl_server_name || conf.ssl_verify
  const names = new NamedTargets(conf.ssl_server_name, alpn)
  return {
    target: (r, host) => {
      const ways = certificates === undefined ? fixed : certificates(r)
      const target = names.find(
        'problem' in ways ? fixed : ways,
        !matters ? '' : nameOf === undefined ? host : nameOf(r),
      )
      const { serverName } = target
      if (serverName.length > SERVER_NAME_MAX) {
        return notSpoken(`SSL_set_tlsext_host_name("${serverName}") failed (${TOO_LONG})`)
      }
      return 'problem' in ways ? notSpoken(ways.problem) : target
    },
  }
}

/** Requests with the same trouble may share a connection that is being opened. */
function notSpoken(problem: string): NoTls {
  return { key: `none ${problem}`, problem, serverName: '' }
}

/** Nobody gets there: the configuration is refused. */
const NOT_CONFIGURED = notSpoken('TLS is not configured')

/** The targets of a location by name. */
class NamedTargets {
  readonly #tells: boolean
  readonly #alpn: string
  readonly #targets = new Lru<string, TlsTarget>(NAMES_MAX)
  /** Mostly one is asked for again and again. */
  #last: TlsTarget | undefined
  #lastWays: Ways | undefined
  #lastName = ''

  /** `tells`: back ends are told the name. */
  constructor(tells: boolean, alpn: string) {
    this.#tells = tells
    this.#alpn = alpn
  }

  /** `given` may have a port. */
  find(ways: Ways, given: string): TlsTarget {
    if (this.#last !== undefined && ways === this.#lastWays && given === this.#lastName) return this.#last
    const name = withoutPort(given)
    const key = `${ways.key} ${this.#tells} ${this.#alpn} ${name}`
    let target = this.#targets.get(key)
    if (target === undefined) {
      const serverName = this.#tells && !isAddress(name) ? name : ''
      target = { key, settings: ways.settings, serverName, name, alpn: this.#alpn }
      this.#targets.set(key, target)
    }
    this.#last = target
    this.#lastWays = ways
    this.#lastName = given
    return target
  }
}

/** The longest name that a server can be told (OpenSSL's TLSEXT_MAXLEN_host_name), and what OpenSSL says of longer ones. */
const SERVER_NAME_MAX = 255
const TOO_LONG = 'SSL: error:0A00013F:SSL routines::ssl3 ext invalid servername'

/** Addresses are no names that a server could be told (RFC 6066). */
function isAddress(name: string): boolean {
  return name.startsWith('[') || parseIp(name) !== undefined
}

/** The port may stand there when the name is `$proxy_host` or `$http_host`. */
function withoutPort(name: string): string {
  const bracket = name.startsWith('[') ? name.indexOf(']') : -1
  const colon = name.indexOf(':', Math.max(bracket, 0))
  return colon < 0 ? name : name.slice(0, colon)
}

/** Reads what a location names. */
class Loader {
  readonly #family: string
  readonly #conf: SslConf
  readonly #at: AttachContext
  readonly #files: SslLoader
  readonly #keyLog: LogFile | undefined

  constructor(family: string, conf: SslConf, at: AttachContext) {
    this.#family = family
    this.#conf = conf
    this.#at = at
    this.#files = new SslLoader(at, conf.ssl_ciphers)
    const { ssl_key_log: path } = conf
    if (path !== undefined) at.logFile(path)
    this.#keyLog = path === undefined || at.role !== 'worker' ? undefined : at.files.open(path)
  }

  /** Everything but certificates that variables name; undefined when something is wrong. */
  options(): ContextOptions | undefined {
    const conf = this.#conf
    const commanded = notCommanded(forbidden(conf.ssl_protocols))
    if (!this.#files.useCiphers()) return undefined
    if (!this.#files.command(`${this.#family}_ssl_conf_command`, conf.ssl_conf_command, commanded)) return undefined
    const pairs = this.#own(commanded)
    const trust = this.#trust()
    if (pairs === undefined || trust === undefined) return undefined
    return { ...contextSettings(commanded, conf.ssl_ciphers), pairs, ...trust }
  }

  /** Our certificate and key as far as they are known. */
  #own(commanded: Commanded): readonly Pair[] | undefined {
    const { ssl_certificate: certificate, ssl_certificate_key: key, ssl_password_file } = this.#conf
    if (!this.#files.usePasswords(ssl_password_file)) return undefined
    if (commanded.certificate !== '') {
      return listOf(
        this.#files.pair(commanded.certificate, commanded.key === '' ? commanded.certificate : commanded.key),
      )
    }
    if (certificate === undefined || certificate.template.source === '') return []
    if (key === undefined) {
      const name = certificate.template.source
      return this.#files.fail(`no "${this.#family}_ssl_certificate_key" is defined for certificate "${name}"`)
    }
    const { constant, at } = certificate.template
    if (constant === undefined || key.template.constant === undefined) return []
    return listOf(this.#files.pair(placeOf(certificate, constant), placeOf(key, key.template.constant), at))
  }

  /** Whom we trust; nobody, when nothing is verified. */
  #trust(): { readonly trusted: string; readonly crl: string } | undefined {
    const { ssl_verify, ssl_trusted_certificate: trusted, ssl_crl: crl } = this.#conf
    if (!ssl_verify) return { trusted: '', crl: '' }
    if (trusted === undefined || trusted.at.text === '') {
      return this.#files.fail(`no ${this.#family}_ssl_trusted_certificate for ${this.#family}_ssl_verify`)
    }
    const trustedText = this.#files.trusted(trusted)
    const crlText = this.#files.crl(crl)
    return trustedText === undefined || crlText === undefined ? undefined : { trusted: trustedText, crl: crlText }
  }

  /** How to find the certificate of a request, when variables name it. */
  dynamic(options: ContextOptions): ((r: Request) => Ways | { problem: string }) | undefined {
    const { ssl_certificate: certificate, ssl_certificate_key: key, ssl_certificate_cache: cache } = this.#conf
    if (certificate === undefined || key === undefined || certificate.template.source === '') return undefined
    if (certificate.template.constant !== undefined && key.template.constant !== undefined) return undefined
    const files = new PemFiles(cache, fileProblem)
    const certificateText = this.#at.text(certificate.template)
    const keyText = this.#at.text(key.template)
    return (r) => this.#choose(options, files, placeFor(certificate, certificateText(r)), placeFor(key, keyText(r)))
  }

  #choose(options: ContextOptions, files: PemFiles, certificate: Place, key: Place): Ways | { problem: string } {
    let ways = this.#withPair(options, files, certificate, key)
    // Files that were replaced one after the other do not fit until both are read anew.
    if ('problem' in ways && files.forget(certificate) && files.forget(keyFile(key))) {
      ways = this.#withPair(options, files, certificate, key)
    }
    return ways
  }

  #withPair(options: ContextOptions, files: PemFiles, certificate: Place, key: Place): Ways | { problem: string } {
    if (certificate === '') return this.ways(options)
    const pair = this.#files.pairOf(certificate, readPem(files, certificate), key, readPem(files, keyFile(key)))
    return 'problem' in pair
      ? pair
      : this.ways({ ...options, pairs: [pair.made] }, `SSL_use_PrivateKey("${this.#files.toldKey(key)}")`)
  }

  /** The settings that options make, shared by all who are alike. */
  ways(
    options: ContextOptions,
    doing = `SSL_CTX_use_PrivateKey("${this.#files.toldKey(this.#conf.ssl_certificate_key?.template.source ?? '')}")`,
  ): Ways | { problem: string } {
    const { ssl_verify: verify, ssl_verify_depth: depth, ssl_session_reuse, ssl_key_log } = this.#conf
    const keyLog = this.#keyLog
    const text = JSON.stringify([options, verify, depth, ssl_session_reuse, ssl_key_log])
    const key = createHash('sha256').update(text).digest('base64')
    const alike = knownWith(keyLog)
    const before = alike.get(key)
    if (before !== undefined) return before
    const secure = contextOf(options)
    if ('command' in secure) {
      const [name, value] = options.commands![secure.command]!
      return { problem: failedText(name, value, secure.problem) }
    }
    if ('problem' in secure) return { problem: `${doing} failed (SSL: ${secure.problem})` }
    const settings: TlsSettings = {
      secure: secure.made,
      verify,
      depth,
      sessions: ssl_session_reuse ? new Map() : undefined,
      keyLog: keyLog === undefined ? undefined : (line) => void keyLog.append(line),
    }
    const ways = { key, settings }
    alike.set(key, ways)
    return ways
  }
}

function listOf(pair: Pair | undefined): readonly Pair[] | undefined {
  return pair === undefined ? undefined : [pair]
}
