/**
 * A request that the server makes to itself while it serves another one (ngx_http_subrequest). It has the fields, the
 * variables and the client of its main request, and is its own carrier: what it answers goes nowhere, unless a class
 * derived from this one takes it (subrequest-body.ts: in the place where it was asked for; subrequest-memory.ts).
 *
 * It runs when the event at hand has been dealt with, never inside of `start`. It ends at the latest with its main
 * request; a background subrequest makes that one wait instead.
 */

import { clock } from '../../lib/clock.ts'
import { CRIT, ERROR } from '../../log/error-log.ts'
import { type Later, postpone } from '../../net/flush.ts'
import { BodySink, LAST } from '../message/body.ts'
import { GET } from '../message/method.ts'
import type { Carrier } from '../request/carrier.ts'
import type { Client } from '../request/client.ts'
import { redirectToNamed } from '../request/error-pages.ts'
import { logRequest } from '../request/log-request.ts'
import type { Step } from '../request/plan.ts'
import { type Held, Request } from '../request/request.ts'
import { NEXT } from '../request/verdict.ts'

/** nginx's NGX_HTTP_MAX_SUBREQUESTS: how deep subrequests may make subrequests. */
const DEPTH_MAX = 50
/** Subrequests of one main request at the same time; nginx counts in 16 bits and keeps 1000 for other purposes. */
const COUNT_MAX = 65535 - 1000
/** Statuses that mean "no answer at all". */
const UNANSWERED: ReadonlySet<number> = new Set([408, 444, 499])

/** Who asked for a subrequest. */
export interface SubrequestOwner {
  /** The subrequest is over; until this returns its head and its variables can be asked. Not called when the main request ended before. */
  onSubrequestEnd(sr: Request): void
}

/** One subrequest whose body nobody wants. */
export class Subrequest extends BodySink implements Carrier, Held, Later {
  readonly r: Request
  readonly client: Client
  /** The body is kept for whoever asked; such a subrequest makes none of its own. */
  readonly inMemory: boolean = false
  nextHeld: Held | undefined
  readonly #owner: SubrequestOwner | undefined
  /** The named location (with its `@`) that answers, in place of the one that the URI leads to. */
  named = ''
  /** The request that this one is once more. */
  original: Request | undefined
  /** Where a clone begins; undefined: at the server's rules. */
  #steps: readonly Step[] | undefined
  #background = false
  #copy = false
  #mainOver = false

  constructor(parent: Request, uri: string, args: string, owner: SubrequestOwner | undefined) {
    super()
    this.client = parent.client
    this.#owner = owner
    const r = new Request(this, parent)
    this.r = r
    r.headers = parent.headers
    r.facts = parent.facts
    r.server = parent.server
    r.location = parent.server.base
    r.method = 'GET'
    r.methodBit = GET
    r.requestLine = parent.requestLine
    r.unparsedUri = parent.unparsedUri
    r.uri = uri
    r.args = args
    r.version = parent.version
    r.host = parent.host
    r.uriUnchanged = false
    r.internal = true
    shareBody(r, parent)
  }

  /** Only the head of the answer is wanted. */
  set headOnly(value: boolean) {
    this.r.headerOnly = value
  }

  /** Is `r` once more, from a step of its location on (NGX_HTTP_SUBREQUEST_CLONE). */
  cloneOf(r: Request, step: Step): void {
    const copy = this.r
    this.original = r
    copy.method = r.method
    copy.methodBit = r.methodBit
    copy.unparsedUri = r.unparsedUri
    copy.uriUnchanged = r.uriUnchanged
    copy.locationValid = r.locationValid
    copy.location = r.location
    copy.captures = r.captures
    this.#steps = [step]
  }

  /** The request body does not go along. */
  leaveBody(): void {
    this.r.requestBody = undefined
    this.r.contentLength = -1
  }

  /** The main request need not wait for this one with its response. */
  set background(value: boolean) {
    this.#background = value
  }

  /** A background subrequest that not even the next request of the connection waits for. */
  set copy(value: boolean) {
    this.#background = this.#copy = value
  }

  /** Has the subrequest run; false when there are too many. Called once. */
  start(): boolean {
    const { main } = this.r
    if (!this.#allowed()) return false
    main.subrequests++
    if (this.#background) main.background++
    if (this.#copy) main.copies++
    main.hold(this)
    postpone(this)
    return true
  }

  #allowed(): boolean {
    const { r } = this
    const parent = r.parent!
    let depth = 0
    for (let at: Request | undefined = parent; at.parent !== undefined; at = at.parent) depth++
    if (depth > DEPTH_MAX) {
      parent.logError(ERROR, `subrequests cycle while processing "${r.uri}"`)
      return false
    }
    if (r.main.subrequests >= COUNT_MAX) {
      parent.logError(CRIT, `request reference counter overflow while processing "${r.uri}"`)
      return false
    }
    if (!(parent.carrier instanceof Subrequest && parent.carrier.inMemory)) return true
    parent.logError(ERROR, `nested in-memory subrequest "${r.uri}"`)
    return false
  }

  runLater(): void {
    const { r } = this
    if (r.ended) return
    r.begin(clock.now, clock.monotonic)
    if (this.named !== '') {
      const verdict = redirectToNamed(r, this.named)
      if (verdict !== NEXT) return r.finish(verdict)
    } else if (this.#steps !== undefined) r.goto(this.#steps, 0)
    else r.goto(r.server.startSteps, r.server.rewriteAt)
    r.run()
  }

  /** The main request is logged. */
  onRequestEnd(): void {
    this.#mainOver = true
    this.r.abort(499)
  }

  // ---- the carrier -----------------------------------------------------------------------------

  get full(): boolean {
    return this.r.main.carrier.full
  }

  get pendingBytes(): number {
    return this.r.main.carrier.pendingBytes
  }

  get closing(): boolean {
    return this.r.main.carrier.closing
  }

  sendHead(r: Request): void {
    r.body = this
  }

  sendInterim(): void {}
  // The body of a subrequest is its main request's, or there is none.
  startBody(): void {}
  takeBody(): number {
    return 0
  }
  pauseBody(): void {}
  resumeBody(): void {}

  write(bytes: Uint8Array, flags: number): boolean {
    const { r } = this
    if (!r.headerOnly) r.bytesSent += bytes.length
    if ((flags & LAST) !== 0) r.end()
    return true
  }

  /** Without an answer there is none to the main request either, unless that goes on by itself. */
  abortRequest(r: Request): void {
    const { main } = r
    const unanswered = !r.headSent && !this.#background && UNANSWERED.has(r.out.status)
    if (unanswered && !main.ended) {
      main.out.status = r.out.status
      main.carrier.abortRequest(main)
    }
    r.abort(r.out.status)
  }

  requestEnded(r: Request): void {
    const { main } = r
    if (r.location.core.log_subrequest) logRequest(r)
    if (!this.#mainOver) this.#owner?.onSubrequestEnd(r)
    this.onOver()
    r.requestBody = undefined
    r.cleanUp()
    main.subrequests--
    if (this.#copy) main.copies--
    if (this.#background) main.backgroundEnded()
  }

  /** The subrequest is over and logged. */
  protected onOver(): void {}
}

/** A body that was read whole goes with every subrequest; any other is not there for them. */
function shareBody(r: Request, parent: Request): void {
  const body = parent.requestBody
  // One of chunks that was empty has this length, too.
  if (parent.contentLength === 0 || (parent.chunked && body?.whole === true)) r.contentLength = 0
  if (body?.whole !== true || body.received === 0) return
  r.requestBody = body
  r.contentLength = body.received
}
