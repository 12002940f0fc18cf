/**
 * From `proxy_ssl_*` to how one connection speaks TLS (ngx_http_proxy_set_ssl, ngx_http_upstream_ssl_name). All that
 * does not depend on variables is loaded, checked and made into a context once, when the location attaches.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:os'
import { fullName } from '../../config/include.ts'
import type { Position } from '../../config/source.ts'
import { errnoText } from '../../lib/errno.ts'
import { parseIp } from '../../lib/ip.ts'
import { Lru } from '../../lib/lru.ts'
import { ERROR } from '../../log/error-log.ts'
import type { TlsSettings, TlsTarget } from '../../net/tls-client-wire.ts'
import {
  type ContextOptions,
  certificateProblem,
  cipherProblem,
  contextOf,
  crlProblem,
  openKey,
  trustedProblem,
} from '../../net/tls-wire-context.ts'
import type { AttachContext } from '../module.ts'
import type { Text } from '../plan.ts'
import type { Request } from '../request.ts'
import { type Commanded, carryOut, FORBIDDEN } from './ssl-commands.ts'
import type { NamedFile, PemSource, SslConf } from './ssl-directives.ts'
import { openProblem, PemFiles } from './ssl-pem.ts'

/** Settings that stay although nobody asks for them. */
const SETTINGS_MAX = 256
const NAMES_MAX = 1024
const DATA = 'data:'
const STORES = /^(engine|store):/

/** How a location connects. */
export interface SslTargets {
  /** For a request to `host`; undefined: it cannot be done, and was logged. */
  target(r: Request, host: string): TlsTarget | undefined
}

interface Ways {
  readonly key: string
  readonly settings: TlsSettings
}

/** By key: sessions outlive a reload, and locations that are alike share them. */
const known = new Lru<string, Ways>(SETTINGS_MAX)

/** Compiles a location's settings; problems are reported. `family` is `proxy`, `grpc`, `uwsgi`. */
export function compileSsl(family: string, conf: SslConf, at: AttachContext): SslTargets {
  if (conf.ssl_key_log !== undefined) at.logFile(conf.ssl_key_log)
  const loader = new Loader(family, conf, at)
  const options = loader.options()
  const certificates = options === undefined ? undefined : loader.dynamic(options)
  const fixed = options === undefined || certificates !== undefined ? undefined : loader.ways(options)
  if (fixed !== undefined && 'problem' in fixed) {
    at.fail(fixed.problem)
    return { target: () => undefined }
  }
  const nameOf = conf.ssl_name === undefined ? undefined : at.text(conf.ssl_name)
  const matters = conf.ssl_server_name || conf.ssl_verify
  const names = new NamedTargets(conf.ssl_server_name)
  return {
    target: (r, host) => {
      const ways = fixed ?? certificates?.(r)
      if (ways === undefined) return undefined
      return names.find(ways, !matters ? '' : nameOf === undefined ? host : nameOf(r))
    },
  }
}

/** The targets of a location by name. */
class NamedTargets {
  readonly #tells: boolean
  readonly #targets = new Lru<string, TlsTarget>(NAMES_MAX)
  /** Mostly one is asked for again and again. */
  #last: TlsTarget | undefined
  #lastWays: Ways | undefined
  #lastName = ''

  /** `tells`: back ends are told the name. */
  constructor(tells: boolean) {
    this.#tells = tells
  }

  /** `given` may have a port. */
  find(ways: Ways, given: string): TlsTarget {
    if (this.#last !== undefined && ways === this.#lastWays && given === this.#lastName) return this.#last
    const name = withoutPort(given)
    const key = `${ways.key} ${this.#tells} ${name}`
    let target = this.#targets.get(key)
    if (target === undefined) {
      const serverName = this.#tells && !isAddress(name) ? name : ''
      target = { key, settings: ways.settings, serverName, name }
      this.#targets.set(key, target)
    }
    this.#last = target
    this.#lastWays = ways
    this.#lastName = given
    return target
  }
}

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
  #passwords: readonly string[] = []

  constructor(family: string, conf: SslConf, at: AttachContext) {
    this.#family = family
    this.#conf = conf
    this.#at = at
  }

  /** Everything but certificates that variables name; undefined when something is wrong. */
  options(): ContextOptions | undefined {
    const conf = this.#conf
    const commanded: Commanded = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.3',
      secureOptions: forbidden(conf.ssl_protocols),
      cipherString: '',
      cipherSuites: '',
      curves: '',
      signatureAlgorithms: '',
      certificate: '',
      key: '',
    }
    const ciphers = cipherProblem(conf.ssl_ciphers)
    if (ciphers !== '') return this.#fail(`SSL_CTX_set_cipher_list("${conf.ssl_ciphers}") failed (SSL: ${ciphers})`)
    const failed = carryOut(conf.ssl_conf_command, commanded)
    if (failed !== undefined) {
      return this.#fail(`SSL_CONF_cmd("${failed.name}", "${failed.value}") failed`, failed.at)
    }
    const own = this.#own(commanded)
    const trust = this.#trust()
    if (own === undefined || trust === undefined) return undefined
    const { minVersion, maxVersion, secureOptions, curves, signatureAlgorithms, cipherSuites, cipherString } = commanded
    const list = cipherString === '' ? conf.ssl_ciphers : cipherString
    return {
      minVersion,
      maxVersion,
      secureOptions,
      ciphers: cipherSuites === '' ? list : `${cipherSuites}:${list}`,
      curves,
      signatureAlgorithms,
      ...own,
      ...trust,
    }
  }

  /** Our certificate and key as far as they are known. */
  #own(commanded: Commanded): { readonly certificate: string; readonly key: string } | undefined {
    const { ssl_certificate: certificate, ssl_certificate_key: key, ssl_password_file } = this.#conf
    const passwords = ssl_password_file === undefined ? [] : this.#readPasswords(ssl_password_file)
    if (passwords === undefined) return undefined
    this.#passwords = passwords
    if (commanded.certificate !== '') {
      return this.#pair(commanded.certificate, commanded.key === '' ? commanded.certificate : commanded.key, undefined)
    }
    if (certificate === undefined || certificate.template.source === '') return { certificate: '', key: '' }
    if (key === undefined) {
      const name = certificate.template.source
      return this.#fail(`no "${this.#family}_ssl_certificate_key" is defined for certificate "${name}"`)
    }
    if (certificate.template.constant === undefined || key.template.constant === undefined) {
      return { certificate: '', key: '' }
    }
    const position = certificate.template.at
    return this.#pair(
      placeOf(certificate, certificate.template.constant),
      placeOf(key, key.template.constant),
      position,
    )
  }

  #pair(certificate: string, key: string, at: Position | undefined) {
    const chain = this.#read(certificate)
    const problem = chain.problem === '' ? certificateProblem(chain.text) : chain.problem
    if (problem !== '') return this.#fail(`cannot load certificate "${certificate}": ${problem}`, at)
    const opened = this.#openKey(key, this.#read(key))
    return 'problem' in opened ? this.#fail(opened.problem, at) : { certificate: chain.text, key: opened.made }
  }

  #openKey(place: string, pem: { readonly text: string; readonly problem: string }) {
    const store = STORES.exec(place)
    const problem = store === null ? pem.problem : `loading "${store[1]}:..." certificate keys is not supported`
    if (problem !== '') return { problem: `cannot load certificate key "${place}": ${problem}` }
    const opened = openKey(pem.text, this.#passwords)
    return 'made' in opened ? opened : { problem: `cannot load certificate key "${place}": ${opened.problem}` }
  }

  /** Whom we trust; nobody, when nothing is verified. */
  #trust(): { readonly trusted: string; readonly crl: string } | undefined {
    const { ssl_verify, ssl_trusted_certificate: trusted, ssl_crl: crl } = this.#conf
    if (!ssl_verify) return { trusted: '', crl: '' }
    if (trusted === undefined || trusted.at.text === '') {
      return this.#fail(`no ${this.#family}_ssl_trusted_certificate for ${this.#family}_ssl_verify`)
    }
    const trustedText = this.#checked('certificate', trusted, trustedProblem)
    const crlText = crl === undefined || crl.at.text === '' ? '' : this.#checked('CRL', crl, crlProblem)
    return trustedText === undefined || crlText === undefined ? undefined : { trusted: trustedText, crl: crlText }
  }

  #checked(what: string, { path, at }: NamedFile, check: (pem: string) => string): string | undefined {
    const { text, problem } = this.#read(path)
    const found = problem === '' ? check(text) : problem
    return found === '' ? text : this.#fail(`cannot load ${what} "${path}": ${found}`, at)
  }

  #readPasswords({ path, at }: NamedFile): readonly string[] | undefined {
    const { text, errno } = this.#at.readFile(path)
    if (errno !== '') return this.#fail(`open() "${path}" failed ${errnoText(errno)}`, at)
    const lines = text.split('\n').map((line) => line.replace(/\r$/, ''))
    const passwords = lines.filter((line) => line !== '')
    return passwords.length === 0 ? [''] : passwords
  }

  #read(place: string): { readonly text: string; readonly problem: string } {
    if (place.startsWith(DATA)) return { text: place.slice(DATA.length), problem: '' }
    if (STORES.test(place)) return { text: '', problem: '' }
    const { text, errno } = this.#at.readFile(place)
    return { text, problem: errno === '' ? '' : fileProblem(place, errno) }
  }

  #fail(message: string, at?: Position): undefined {
    this.#at.fail(message, at)
    return undefined
  }

  /** How to find the certificate of a request, when variables name it. */
  dynamic(options: ContextOptions): ((r: Request) => Ways | undefined) | undefined {
    const { ssl_certificate: certificate, ssl_certificate_key: key, ssl_certificate_cache: cache } = this.#conf
    if (certificate === undefined || key === undefined || certificate.template.source === '') return undefined
    if (certificate.template.constant !== undefined && key.template.constant !== undefined) return undefined
    const files = new PemFiles(cache, fileProblem)
    const certificateText = this.#at.text(certificate.template)
    const keyText = this.#at.text(key.template)
    return (r) => this.#choose(r, options, files, nameIn(r, certificate, certificateText), nameIn(r, key, keyText))
  }

  #choose(r: Request, options: ContextOptions, files: PemFiles, certificate: string, key: string): Ways | undefined {
    let ways = this.#withPair(options, files, certificate, key)
    // Files that were replaced one after the other do not fit until both are read anew.
    if ('problem' in ways && files.forget(certificate) && files.forget(key)) {
      ways = this.#withPair(options, files, certificate, key)
    }
    if (!('problem' in ways)) return ways
    r.logError(ERROR, `${ways.problem} while SSL handshaking to upstream`)
    return undefined
  }

  #withPair(options: ContextOptions, files: PemFiles, certificate: string, key: string): Ways | { problem: string } {
    if (certificate === '') return this.ways(options)
    const chain = readPem(files, certificate)
    const problem = chain.problem === '' ? certificateProblem(chain.text) : chain.problem
    if (problem !== '') return { problem: `cannot load certificate "${certificate}": ${problem}` }
    const opened = this.#openKey(key, readPem(files, key))
    return 'problem' in opened ? opened : this.ways({ ...options, certificate: chain.text, key: opened.made }, key)
  }

  /** The settings that options make, shared by all who are alike. */
  ways(options: ContextOptions, keyName = this.#conf.ssl_certificate_key?.template.source): Ways | { problem: string } {
    const { ssl_verify: verify, ssl_verify_depth: depth, ssl_session_reuse, ssl_key_log: keyLog } = this.#conf
    const text = JSON.stringify([options, verify, depth, ssl_session_reuse, keyLog])
    const key = createHash('sha256').update(text).digest('base64')
    const before = known.get(key)
    if (before !== undefined) return before
    const secure = contextOf(options)
    if ('problem' in secure) return { problem: `SSL_CTX_use_PrivateKey("${keyName}") failed (SSL: ${secure.problem})` }
    const { files } = this.#at
    const settings: TlsSettings = {
      secure: secure.made,
      verify,
      depth,
      sessions: ssl_session_reuse ? new Map() : undefined,
      keyLog: keyLog === undefined ? undefined : (line) => void files.open(keyLog).append(line),
    }
    const ways = { key, settings }
    known.set(key, ways)
    return ways
  }
}

function forbidden(protocols: SslConf['ssl_protocols']): number {
  let mask = 0
  for (const [version, bit] of Object.entries(FORBIDDEN)) {
    if (!(protocols as readonly string[]).includes(version)) mask |= bit
  }
  return mask
}

/** A path, or the text itself behind `data:`. */
function placeOf(source: PemSource, name: string): string {
  return name.startsWith(DATA) || STORES.test(name) ? name : fullName(name, source.prefix)
}

function nameIn(r: Request, source: PemSource, text: Text): string {
  const name = text(r)
  return name === '' ? '' : placeOf(source, name)
}

function readPem(files: PemFiles, place: string): { readonly text: string; readonly problem: string } {
  if (place.startsWith(DATA)) return { text: place.slice(DATA.length), problem: '' }
  return STORES.test(place) ? { text: '', problem: '' } : files.read(place)
}

function fileProblem(path: string, errno: string): string {
  const text = errnoText(errno).replace(/^\(\d+: |\)$/g, '')
  const numbers: Readonly<Record<string, number>> = constants.errno
  return openProblem(path, errno, numbers[errno] ?? 0, text)
}
