/**
 * `ssl_stapling`: the issuer's answer about our own certificate, shown to clients that ask for it (ngx_ssl_stapling).
 * It comes from a file, or is asked for when the first client wants it, and again before it ends.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { toBinary } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import { Lru } from '../lib/lru.ts'
import { resolveHost } from '../lib/resolve-host.ts'
import { ERROR, type ErrorLog } from '../log/error-log.ts'
import type { ClientHello } from '../net/client-hello.ts'
import type { Resolver } from '../net/resolver.ts'
import { type Pair, pemCertificates } from '../net/tls-wire-context.ts'
import type { BlockServices } from '../tree/context.ts'
import { resolverOf } from '../tree/resolver.ts'
import { type CipherRules, certificateOf12 } from './chosen-certificate.ts'
import { namedProblem, placeOf, type SslLoader } from './loader.ts'
import { certificateId, GOOD, ocspRequest, readOcspResponse } from './ocsp-message.ts'
import { type OcspAsker, OcspQuestion, parseResponder, type ResponderUrl, responderOf } from './ocsp-responder.ts'
import type { SslServerConf } from './server-directives.ts'
import { shownCertificate } from './signature-algorithms.ts'

/** An answer is asked for again that long before it ends, but not sooner than that after the last time. */
const AHEAD_S = 300
const REFRESH_MAX_S = 3600
/** Answers that stay although nobody asks for them. */
const KNOWN_MAX = 4096

/** What a responder has said of a certificate. */
interface Known {
  answer: Buffer | undefined
  validUntil: number
  refreshAt: number
}

/**
 * By responder, certificate and issuer: a reload, and the renewal of any certificate, make all servers anew, and the first
 * client that is not shown an answer may go elsewhere.
 */
const known = new Lru<string, Known>(KNOWN_MAX)

function knownOf(host: string, id: Buffer, issuer: Buffer): Known {
  const key = createHash('sha256').update(host).update('\0').update(id).update(issuer).digest('base64')
  const found = known.get(key) ?? { answer: undefined, validUntil: 0, refreshAt: 0 }
  known.set(key, found)
  return found
}

/** The answer for a client; undefined as long as there is none. */
export type Stapler = (hello: ClientHello, is13: boolean) => Buffer | undefined

/** Returns who knows the answer. `trusted` may have the issuer. */
export function compileStapling(
  conf: SslServerConf,
  at: BlockServices,
  files: SslLoader,
  pairs: readonly Pair[],
  trusted: string,
  rules: CipherRules,
): Stapler {
  const { ssl_stapling, ssl_stapling_file: file } = conf
  if (!ssl_stapling) return none
  if (file !== undefined && file.at.text !== '') return fromFile(file.path, at, files)
  const staples = pairs.map((pair, i) => {
    const source = conf.ssl_certificate[i]
    return asked(pair, source === undefined ? '' : placeOf(source, source.template.source), conf, at, trusted)
  })
  const [only] = staples
  if (staples.length === 1) return only === undefined ? none : () => only.current()
  const certificates = pairs.map(({ certificate }) => new X509Certificate(certificate))
  return (hello, is13) => {
    const shown = is13
      ? shownCertificate(certificates, hello.signatureAlgorithms, rules.ordered)
      : certificateOf12(certificates, hello, rules)
    return staples[shown]?.current()
  }
}

function none(): undefined {}

function fromFile(path: string, at: BlockServices, files: SslLoader): Stapler {
  const { text, errno } = at.readRenewable(path)
  if (errno !== '') {
    files.fail(namedProblem(path, errno))
    return none
  }
  const answer = Buffer.from(toBinary(text), 'latin1')
  // SEQUENCE, which an answer is.
  if (answer[0] !== 0x30) files.fail(`d2i_OCSP_RESPONSE_bio("${path}") failed`)
  return () => answer
}

function asked(
  { certificate }: Pair,
  name: string,
  conf: SslServerConf,
  at: BlockServices,
  trusted: string,
): Staple | undefined {
  const ignored = (why: string): undefined => {
    at.warn(`"ssl_stapling" ignored, ${why}`)
  }
  const [own, ...chain] = pemCertificates(certificate).map((pem) => new X509Certificate(pem))
  const candidates = [...chain, ...pemCertificates(trusted).map((pem) => new X509Certificate(pem))]
  const issuer = candidates.find((one) => own!.checkIssued(one))
  if (issuer === undefined) return ignored(`issuer certificate not found for certificate "${name}"`)
  const text = conf.ssl_stapling_responder || responderOf(own!)
  if (text === '') return ignored(`no OCSP responder URL in the certificate "${name}"`)
  const url = parseResponder(text)
  if (typeof url === 'string') return ignored(`${url} in OCSP responder "${text}" in the certificate "${name}"`)
  const addresses = url.addresses.length > 0 ? url.addresses : resolveHost(url.host)
  const id = certificateId(own!.raw, issuer.raw)
  if (id === undefined) return undefined
  return new Staple({ ...url, addresses }, id, issuer.raw, resolverOf(at.scope, at), at.log)
}

/** The answer as it is known. */
class Staple implements OcspAsker {
  readonly #url: ResponderUrl
  readonly #id: Buffer
  readonly #issuer: Buffer
  readonly #resolver: Resolver | undefined
  readonly #log: ErrorLog
  readonly #known: Known
  #loading = false

  constructor(url: ResponderUrl, id: Buffer, issuer: Buffer, resolver: Resolver | undefined, log: ErrorLog) {
    this.#url = url
    this.#id = id
    this.#issuer = issuer
    this.#resolver = resolver
    this.#log = log
    this.#known = knownOf(url.host, id, issuer)
  }

  /** The answer, if it still holds; one that is about to end is asked for again. */
  current(): Buffer | undefined {
    const now = clock.seconds
    const { answer, validUntil, refreshAt } = this.#known
    if (!this.#loading && now >= refreshAt) {
      this.#loading = true
      new OcspQuestion(this, this.#url, ocspRequest(this.#id), this.#resolver)
    }
    return now < validUntil ? answer : undefined
  }

  onAnswer(answer: Buffer | undefined, problem: string): void {
    clock.update()
    const now = clock.seconds
    this.#loading = false
    this.#known.refreshAt = now + AHEAD_S
    const outcome = answer === undefined ? problem : readOcspResponse(answer, this.#id, this.#issuer, now)
    if (typeof outcome === 'string') return this.#report(outcome)
    if (outcome.status !== GOOD) {
      const name = outcome.status === 1 ? 'revoked' : 'unknown'
      return this.#report(`certificate status "${name}" in the OCSP response`)
    }
    this.#known.answer = answer
    this.#known.validUntil = outcome.validUntil
    this.#known.refreshAt = Math.max(Math.min(outcome.validUntil - AHEAD_S, now + REFRESH_MAX_S), now + AHEAD_S)
  }

  #report(problem: string): void {
    this.#log.write(ERROR, `${problem} while requesting certificate status, responder: ${this.#url.host}`)
  }
}
