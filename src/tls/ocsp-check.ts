/**
 * `ssl_ocsp`: asks whether the certificates of a client, from its own towards the trusted one, are still valid
 * (ngx_ssl_ocsp_validate). The handshake is over then; the first request waits for the outcome.
 */
import { X509Certificate } from 'node:crypto'
import { clock } from '../lib/clock.ts'
import type { Resolver } from '../net/resolver.ts'
import type { StatusRecords } from '../shared/status-records.ts'
import { certificateId, GOOD, ocspRequest, REVOKED, readOcspResponse } from './ocsp-message.ts'
import { type OcspAsker, OcspQuestion, parseResponder, type ResponderUrl, responderOf } from './ocsp-responder.ts'

const FAILED = 'certificate status request failed'

/** How a server asks. */
export interface OcspOptions {
  /** Only about the client's own certificate. */
  readonly leafOnly: boolean
  /** Instead of what certificates say. */
  readonly responder: ResponderUrl | undefined
  readonly cache: StatusRecords | undefined
  readonly resolver: Resolver | undefined
}

/** Hears the outcome. */
export interface OcspWaiter {
  /** What is wrong with the client's certificates, or empty. Not called from within `start`. */
  onChecked(problem: string): void
  /** What went wrong with the asking. */
  onProblem(text: string): void
}

/** One client's certificates being asked about. */
export class OcspCheck implements OcspAsker {
  readonly #options: OcspOptions
  readonly #waiter: OcspWaiter
  /** From the client's own to the trusted one, in DER. */
  readonly #chain: readonly Buffer[]
  #at = 0
  #id: Buffer | undefined
  #question: OcspQuestion | undefined

  constructor(options: OcspOptions, chain: readonly Buffer[], waiter: OcspWaiter) {
    this.#options = options
    this.#chain = chain
    this.#waiter = waiter
  }

  /** Begins; what is known already is told at once, as the result: undefined means that the outcome follows. */
  start(): string | undefined {
    return this.#next()
  }

  /** Nobody waits any more. */
  cancel(): void {
    this.#question?.cancel()
  }

  /** Goes on with the next certificate; undefined: a question is on its way. */
  #next(): string | undefined {
    const { leafOnly, responder, cache, resolver } = this.#options
    for (;;) {
      const certificate = this.#chain[this.#at]
      const issuer = this.#chain[this.#at + 1]
      if (certificate === undefined || issuer === undefined || (leafOnly && this.#at === 1)) return ''
      const url = responder ?? this.#named(certificate)
      const id = certificateId(certificate, issuer)
      if (url === undefined || id === undefined) return FAILED
      const known = cache?.find(keyOf(id), clock.seconds)
      if (known === undefined) {
        this.#id = id
        this.#question = new OcspQuestion(this, url, ocspRequest(id), resolver)
        return undefined
      }
      if (known !== GOOD) return statusText(known)
      this.#at++
    }
  }

  /** The responder that the certificate names. */
  #named(certificate: Buffer): ResponderUrl | undefined {
    const url = responderOf(new X509Certificate(certificate))
    if (url === '') {
      this.#waiter.onProblem('no OCSP responder URL in certificate')
      return undefined
    }
    const parsed = parseResponder(url)
    if (typeof parsed !== 'string') return parsed
    this.#waiter.onProblem(`${parsed} in OCSP responder "${url}" in certificate`)
    return undefined
  }

  onAnswer(answer: Buffer | undefined, problem: string): void {
    clock.update()
    const id = this.#id!
    const issuer = this.#chain[this.#at + 1]!
    const outcome = answer === undefined ? problem : readOcspResponse(answer, id, issuer, clock.seconds)
    if (typeof outcome === 'string') {
      this.#waiter.onProblem(`${outcome} while requesting certificate status`)
      return this.#waiter.onChecked(FAILED)
    }
    const { status, validUntil } = outcome
    this.#options.cache?.add(keyOf(id), status, clock.seconds, validUntil)
    if (status !== GOOD) return this.#waiter.onChecked(statusText(status))
    this.#at++
    const next = this.#next()
    if (next !== undefined) this.#waiter.onChecked(next)
  }
}

function keyOf(id: Buffer): string {
  return id.latin1Slice()
}

function statusText(status: number): string {
  return status === REVOKED ? 'certificate revoked' : 'certificate status unknown'
}
