/** Where questions about certificates go, and how they are asked: HTTP/1.0, one connection each (ngx_ssl_ocsp_request). */

import type { X509Certificate } from 'node:crypto'
import { parseAddress } from '../lib/address.ts'
import { NO_BYTES } from '../lib/bytes.ts'
import { errnoText } from '../lib/errno.ts'
import { parseIp } from '../lib/ip.ts'
import type { ConnectOwner } from '../net/connect.ts'
import { openWire } from '../net/open-wire.ts'
import type { NameWaiter, Resolver } from '../net/resolver.ts'
import type { StreamWire } from '../net/stream-wire.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../net/timer-wheel.ts'
import type { WireOwner } from '../net/wire.ts'
import { type WireFailure, wireFailureText } from '../net/wire-failure.ts'

const TIMEOUT_MS = 60_000
const ANSWER_SIZE_MAX = 65536
const MEDIA_TYPE = 'application/ocsp-response'

/** A responder's URL taken apart. */
export interface ResponderUrl {
  readonly host: string
  readonly port: number
  readonly uri: string
  /** Addresses known already; else the name is resolved. */
  readonly addresses: readonly string[]
}

/** Takes a URL apart; a text says what is wrong with it. */
export function parseResponder(url: string): ResponderUrl | string {
  const match = /^http:\/\/([^/?]*)(.*)$/i.exec(url)
  if (match === null) return 'invalid URL prefix'
  const address = parseAddress(match[1]!, 80)
  if ('error' in address) return address.error
  if (address.kind !== 'tcp') return 'invalid host'
  const addresses = parseIp(address.host) === undefined ? [] : [address.host]
  return { host: address.host, port: address.port, uri: match[2] === '' ? '/' : match[2]!, addresses }
}

/** The responder that a certificate names, or empty. */
export function responderOf(certificate: X509Certificate): string {
  return /^OCSP - URI:(.*)$/m.exec(certificate.infoAccess ?? '')?.[1] ?? ''
}

/** Hears what came of a question: the answer in DER, or a text in place of it. Called once. */
export interface OcspAsker {
  onAnswer(answer: Buffer | undefined, problem: string): void
}

/** One question on its way. */
export class OcspQuestion implements NameWaiter, ConnectOwner, WireOwner, TimerOwner {
  readonly #asker: OcspAsker
  readonly #url: ResponderUrl
  readonly #request: string
  readonly #timer = new Timer(this)
  #wire: StreamWire | undefined
  #answer: Buffer = NO_BYTES
  #done = false

  /** Begins to ask; `question` is in DER. */
  constructor(asker: OcspAsker, url: ResponderUrl, question: Buffer, resolver: Resolver | undefined) {
    this.#asker = asker
    this.#url = url
    const slash = url.uri.endsWith('/') ? '' : '/'
    const text = encodeURIComponent(question.toString('base64'))
    this.#request = `GET ${url.uri}${slash}${text} HTTP/1.0\r\nHost: ${url.host}\r\n\r\n`
    setTimer(this.#timer, TIMEOUT_MS)
    const [address] = url.addresses
    if (address !== undefined) this.#connect(address)
    else if (resolver === undefined) this.#failLater(`no resolver defined to resolve ${url.host}`)
    else resolver.resolve(url.host, this)
  }

  onResolved(addresses: readonly string[], error: string): void {
    const [address] = addresses
    if (this.#done) return
    if (address === undefined) this.#end(undefined, `${this.#url.host} could not be resolved (${error})`)
    else this.#connect(address)
  }

  #connect(host: string): void {
    const wire = openWire({ host, port: this.#url.port, path: '' }, {}, this)
    wire.owner = this
    this.#wire = wire
  }

  onConnected(failure: WireFailure | undefined): void {
    const wire = this.#wire!
    if (failure !== undefined) return wire.fail(failure)
    wire.write(this.#request)
    wire.resume()
  }

  onBytes(buffer: Buffer, size: number): void {
    const bytes = Buffer.concat([this.#answer, buffer.subarray(0, size)])
    if (bytes.length > ANSWER_SIZE_MAX) return this.#end(undefined, 'OCSP responder sent too long response')
    this.#answer = bytes
    // A responder that keeps the connection open has told the length.
    const body = bodyAt(bytes)
    const length =
      body < 0 ? undefined : /\ncontent-length:[ \t]*(\d+)[ \t]*\r?\n/i.exec(bytes.latin1Slice(0, body))?.[1]
    if (length !== undefined && bytes.length >= body + Number(length)) this.#read()
  }

  onDrain(): void {}

  onEnd(): void {
    this.#read()
  }

  onClose(failure: WireFailure | undefined): void {
    const why = failure === undefined ? 'OCSP responder prematurely closed connection' : wireFailureText(failure)
    this.#end(undefined, why)
  }

  onTimeout(): void {
    this.#end(undefined, `OCSP responder timed out ${errnoText('ETIMEDOUT')}`)
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    if (this.#done) return
    this.#done = true
    cancelTimer(this.#timer)
    this.#wire?.destroy()
  }

  #read(): void {
    const bytes = this.#answer
    const body = bodyAt(bytes)
    const head = body < 0 ? '' : bytes.latin1Slice(0, body)
    const status = /^HTTP\/\d\.\d (\d{3})/.exec(head)?.[1]
    if (status === undefined) return this.#end(undefined, 'OCSP responder sent invalid response')
    if (status !== '200') return this.#end(undefined, `OCSP responder answered with status ${status}`)
    const type = /\ncontent-type:[ \t]*([^\r\n;]*)/i.exec(head)?.[1]?.trim()
    if (type !== undefined && type.toLowerCase() !== MEDIA_TYPE) {
      return this.#end(undefined, `OCSP responder sent invalid "Content-Type" header: "${type}"`)
    }
    this.#end(bytes.subarray(body), '')
  }

  #failLater(problem: string): void {
    setImmediate(() => this.#end(undefined, problem))
  }

  #end(answer: Buffer | undefined, problem: string): void {
    if (this.#done) return
    this.cancel()
    this.#asker.onAnswer(answer, problem)
  }
}

/** Where the body begins, -1 as long as the head is not complete. Bare line feeds are taken, as in nginx. */
function bodyAt(bytes: Buffer): number {
  const match = /\r?\n\r?\n/.exec(bytes.latin1Slice())
  return match === null ? -1 : match.index + match[0].length
}
