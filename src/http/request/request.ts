/**
 * One request, whatever carried it: what was asked (`asked.ts`), where it was routed, what will be answered. A connection
 * reuses its request object from one request to the next, so every field is listed in `reset` too.
 *
 * The request walks the steps of its plan (`run`) until one of them answers, waits or sends it elsewhere.
 */
import { assert } from '../../lib/assert.ts'
import { blank } from '../../lib/blank.ts'
import { ALERT, ERROR, INFO, type LogContext } from '../../log/error-log.ts'
import type { CapturePattern } from '../../tree/context.ts'
import type { Pattern } from '../../value/regex.ts'
import type { BodySink, Producer } from '../message/body.ts'
import type { HeaderTable } from '../message/header-table.ts'
import { HEAD } from '../message/method.ts'
import type { RequestFacts } from '../message/request-facts.ts'
import { ResponseHead } from '../message/response-head.ts'
import { Asked, HTTP11 } from './asked.ts'
import type { Carrier } from './carrier.ts'
import type { Client } from './client.ts'
import type { Conversation } from './conversation.ts'
import { describeRequest, leftText } from './describe.ts'
import { answerStatus } from './error-pages.ts'
import { HeadFirst, RefusedBody } from './head-sinks.ts'
import type { LocationConf, ServerConf } from './location.ts'
import type { Step } from './plan.ts'
import { RequestBody } from './request-body.ts'
import type { Mark, Slot } from './slots.ts'
import { trace } from './trace.ts'
import { DONE, NEXT, type Verdict, WAIT } from './verdict.ts'

/** nginx's NGX_HTTP_MAX_URI_CHANGES: rounds of rewriting and internal redirects of one request. */
const URI_CHANGES_MAX = 10
/** `version` from here on. */
const HTTP2 = 20
/** `refusal` while a filter keeps the head back. */
const HELD = 1

/** What somebody holds for a request, given back when the request is over and logged (nginx's pool cleanup). */
export interface Held {
  /** The request's own link; undefined until `Request.hold`. */
  nextHeld: Held | undefined
  /** Called once, whatever way the request ended. */
  onRequestEnd(): void
}

/** One request; the same object serves the next one of its connection after `reset`. */
export class Request extends Asked implements LogContext {
  carrier: Carrier
  /** The carrier's, unless `realip` found another address behind it. */
  client: Client
  /** Fields of the request; the carrier's own table. */
  headers!: HeaderTable
  facts!: RequestFacts
  readonly out = new ResponseHead()
  /** Values of the variables that the configuration makes; see VariableTable. */
  readonly vars: (string | undefined)[]
  readonly #slots: unknown[] = []
  #marks = 0
  held: Held | undefined

  server!: ServerConf
  location!: LocationConf
  /** The request that the client sent; itself unless this is a subrequest. */
  main: Request
  parent: Request | undefined

  // Where it is.
  #steps: readonly Step[] = []
  #at = 0
  #waiting = false
  /** Counts the requests that this object was. */
  #round = 0
  /** Set by rewrite rules: the location is looked for again. */
  uriChanged = false
  /** How many more of them there may be, and one. */
  uriChanges = URI_CHANGES_MAX + 1
  captures: ArrayLike<string | undefined> | undefined
  /** A pattern took too long: see `matchGivenUp`. */
  givenUp = false
  /** An error page is being served: the status that caused it (nginx's err_status). */
  errorStatus = 0
  inErrorPage = false
  requestBody: RequestBody | undefined
  /** The head could not be understood: there is no method or URI to speak of. */
  malformed = false

  // What is answered.
  headSent = false
  body!: BodySink
  /** Filters that the header filters asked for, to be put in front of the carrier's sink. */
  readonly #bodyFilters: ((next: BodySink) => BodySink)[] = []
  producer: Producer | undefined
  /** The conversation with the back ends, from the first attempt until the request is logged. */
  conversation: Conversation | undefined
  ended = false
  aborted = false
  /** The body went out to its last byte. */
  completed = false
  /** Wall clock in milliseconds when the first byte came. */
  startMs = 0
  /** The same, monotonic. */
  startMonotonic = 0
  /** Bytes of the response sent in all, for `$bytes_sent`. */
  bytesSent = 0
  /** Bytes of the response head; what follows is `$body_bytes_sent`. */
  headLength = 0
  /** `$limit_rate` when set, in bytes per second; -1: what the location says. */
  limitRate = -1
  /** Where a head that is kept back leaves its body, and the filter that goes on with it. */
  #heldBy: BodySink | undefined
  #heldAt = 0
  /** A header filter wants this status to be answered in place of the response (412, 416); else 0. */
  refusal = 0
  /** Per-request replacement of a body filter's decision. */
  filtersOff = false
  /** A filter asks to send the head with the first bytes of the body: until then the answer may still be nothing. */
  headLater = false
  /** With `headLater`: how many bytes must be there before. */
  headHeld = 0
  /** The rate limits the head too: the carrier keeps it back for `passHead`. */
  headPaced = false
  /** Subrequests under way, of a main request. */
  subrequests = 0
  /** Those among them that may outlast the response; the request is not over before they are. */
  background = 0
  /** Those among them whose outcome nobody is told, so that the next request need not wait for them. */
  copies = 0
  /** It has its answer, and is logged when what goes on behind it is over. */
  logsLate = false

  /** `parent` makes a subrequest, which has its variables and its client in common with it. */
  constructor(carrier: Carrier, parent?: Request) {
    super()
    this.carrier = carrier
    this.client = parent === undefined ? carrier.client : parent.client
    this.parent = parent
    this.main = parent === undefined ? this : parent.main
    this.vars = parent === undefined ? [] : parent.vars
  }

  /** Makes the object ready for the next request of its connection. */
  reset(): void {
    this.out.reset()
    this.client = this.carrier.client
    blank(this.vars)
    blank(this.#slots)
    this.#marks = 0
    this.held = undefined
    this.main = this
    this.parent = undefined
    this.resetAsked()
    this.#steps = []
    this.#at = 0
    this.#waiting = false
    this.#round++
    this.uriChanged = false
    this.uriChanges = URI_CHANGES_MAX + 1
    this.captures = undefined
    this.givenUp = false
    this.errorStatus = 0
    this.inErrorPage = false
    this.requestBody = undefined
    this.malformed = false
    this.headSent = false
    this.body = undefined as never // As before the first request.
    this.producer = undefined
    this.conversation = undefined
    this.ended = false
    this.aborted = false
    this.completed = false
    this.bytesSent = 0
    this.headLength = 0
    this.limitRate = -1
    this.refusal = 0
    this.filtersOff = false
    this.headLater = false
    this.headHeld = 0
    this.headPaced = false
    this.subrequests = 0
    this.background = 0
    this.copies = 0
    this.logsLate = false
    this.startMs = this.startMonotonic = 0
  }

  /** The head begins to be served: what its first bytes did not set yet. */
  begin(now: number, monotonic: number): void {
    if (this.startMs === 0) this.startMs = now
    if (this.startMonotonic === 0) this.startMonotonic = monotonic
  }

  /** A module's state for this request. */
  get<T>(slot: Slot<T>): T | undefined {
    return this.#slots[slot.index] as T | undefined
  }

  set<T>(slot: Slot<T>, value: T | undefined): void {
    while (this.#slots.length <= slot.index) this.#slots.push(undefined)
    this.#slots[slot.index] = value
  }

  mark(mark: Mark): number {
    return (this.#marks >> mark.shift) & mark.mask
  }

  setMark(mark: Mark, value: number): void {
    this.#marks = (this.#marks & ~(mark.mask << mark.shift)) | (value << mark.shift)
  }

  /** Tells `held`, which is the first in the list of them now, when the request is over. For the main request only. */
  hold(held: Held): void {
    held.nextHeld = this.held
    this.held = held
  }

  // ---- the walk ------------------------------------------------------------------------------

  /** Begins at the server that the connection chose. */
  start(server: ServerConf): void {
    this.server = server
    this.location = server.base
    this.goto(server.startSteps, 0)
    this.run()
  }

  /** Continues the walk elsewhere; the step that calls it answers NEXT. */
  goto(steps: readonly Step[], at: number): void {
    this.#steps = steps
    this.#at = at
  }

  /** Walks until a step waits or the request is answered. */
  run(): void {
    while (this.#at < this.#steps.length) {
      const step = this.#steps[this.#at++]!
      if (trace !== undefined && !trace.enter(this, step)) return
      const verdict = step.run(this, step.conf as never)
      if (trace !== undefined) trace.leave(this, step, verdict)
      if (verdict === NEXT) {
        if (!this.givenUp) continue
        this.givenUp = false
        return this.finish(500)
      }
      if (verdict === WAIT) {
        this.#waiting = true
        return
      }
      this.finish(verdict)
      return
    }
    this.finish(404)
  }

  /** Goes on after WAIT, as if the step that waited had answered `verdict`. Ignored when the request ended meanwhile. */
  resume(verdict: Verdict): void {
    if (this.ended) return
    assert(this.#waiting, 'a request is resumed once per wait')
    this.#waiting = false
    this.#obey(verdict)
  }

  /** The same with what `then` answers. It may answer the client at once: the object is then another request's. */
  resumeBy(then: (r: Request) => Verdict): void {
    if (this.ended) return
    assert(this.#waiting, 'a request is resumed once per wait')
    this.#waiting = false
    const round = this.#round
    const verdict = then(this)
    if (round === this.#round) this.#obey(verdict)
  }

  #obey(verdict: Verdict): void {
    if (verdict === NEXT) this.run()
    else if (verdict === WAIT) this.#waiting = true
    else this.finish(verdict)
  }

  /** Runs the step that waited once more: for steps that keep their outcome in a slot. */
  retry(): void {
    if (this.ended) return
    assert(this.#waiting, 'a request is resumed once per wait')
    this.#waiting = false
    this.#at--
    this.run()
  }

  /** The one door for promises: continues with what `then` answers. Errors answer 500. */
  waitFor<T>(promise: Promise<T>, then: (r: Request, result: T) => Verdict): Verdict {
    return this.#waitFor(promise, (result) => this.resumeBy((r) => then(r, result)))
  }

  /** As `waitFor`, for steps that must answer by themselves (access): `keep` stores the outcome, then the step runs again. */
  waitAndRetry<T>(promise: Promise<T>, keep: (r: Request, result: T) => void): Verdict {
    return this.#waitFor(promise, (result) => {
      if (this.ended) return
      keep(this, result)
      this.retry()
    })
  }

  #waitFor<T>(promise: Promise<T>, done: (result: T) => void): Verdict {
    // Meanwhile the request may end, and its object may serve another one.
    const round = this.#round
    const failed = () => (round === this.#round ? this.resume(500) : undefined)
    // tidy: the door that promises come in by
    promise.then((result) => (round === this.#round ? done(result) : undefined), failed)
    return WAIT
  }

  /** Ends the walk with a verdict: DONE when the response is under way, else a status to answer with. */
  finish(verdict: Verdict): void {
    if (verdict === DONE || this.ended) return
    answerStatus(this, verdict)
  }

  /** Nobody knows whether a pattern matches: nothing may be decided by that, and the request ends with 500. */
  matchGivenUp(pattern: Pattern, subject: string): void {
    pattern.gaveUp = false
    this.givenUp = true
    this.logError(ALERT, `pcre2_match() failed: -47 on "${subject}" using "${pattern.source}"`)
  }

  /** Tests a pattern against `subject`; on a match captures and named captures are set. */
  match(regex: CapturePattern, subject: string): boolean {
    const { pattern, slots } = regex
    if (!pattern.exec(subject)) {
      if (pattern.gaveUp) this.matchGivenUp(pattern, subject)
      return false
    }
    this.captures = pattern.captures
    for (let i = 0; i < slots.length; i++) {
      const [group, slot] = slots[i]!
      this.vars[slot] = this.captures[group] ?? ''
    }
    return true
  }

  /** Sends the request through the server again with another URI (ngx_http_internal_redirect). */
  redirectTo(uri: string, args: string): Verdict {
    if (--this.uriChanges <= 0) return this.#cycle()
    if (trace !== undefined) trace.redirected(this, args === '' ? uri : `${uri}?${args}`)
    this.uri = uri
    this.args = args
    this.uriUnchanged = false
    this.locationValid = true
    this.internal = true
    this.location = this.server.base
    this.#forgetContent()
    this.goto(this.server.startSteps, this.server.rewriteAt)
    return NEXT
  }

  /** Sends the request to a named location (ngx_http_named_location). */
  redirectToNamed(location: LocationConf): Verdict {
    if (--this.uriChanges <= 0) return this.#cycle()
    if (trace !== undefined) trace.redirected(this, location.name)
    this.internal = true
    this.location = location
    this.#forgetContent()
    this.enter(location)
    return NEXT
  }

  /** Another location answers. */
  #forgetContent(): void {
    blank(this.#slots)
    this.requestBody?.leave()
  }

  /** Goes to the first step of a location: its rewrite rules, else the rest. */
  enter(location: LocationConf): void {
    this.goto(location.rewriteSteps.length > 0 ? location.rewriteSteps : location.steps, 0)
  }

  #cycle(): Verdict {
    this.logError(ERROR, 'rewrite or internal redirection cycle while internally redirecting to "' + this.uri + '"')
    return 500
  }

  // ---- the answer ----------------------------------------------------------------------------

  /** Runs the header filters and sends the head; `out.status` is set before. */
  sendHead(): void {
    assert(!this.headSent, 'a response has one head')
    this.headSent = true
    if (this.errorStatus !== 0) {
      this.out.status = this.errorStatus
      this.out.statusText = ''
    }
    const { status } = this.out
    // nginx leaves the type to what a back end calls 204 in a status line, where that line goes on (ngx_http_header_filter).
    if (status === 204 && (this.out.statusText === '' || this.version >= HTTP2)) this.out.contentType = ''
    if (this.methodBit === HEAD || status === 204 || status === 304) this.headerOnly = true
    this.#filterHead(0)
  }

  #filterHead(from: number): void {
    const { headerFilters } = this.location
    for (let i = from; i < headerFilters.length && !this.filtersOff; i++) {
      const filter = headerFilters[i]!
      filter.run(this, filter.conf as never)
      if (trace !== undefined) trace.filtered(this, filter)
      if (this.refusal === 0) continue
      if (this.#heldBy === undefined) this.body = new RefusedBody(this)
      else {
        this.refusal = 0
        this.body = this.#heldBy
        this.#heldBy = undefined
        this.#heldAt = i + 1
        this.#putFilters()
      }
      return
    }
    if (this.out.status !== 200) this.out.fitStatus()
    if (this.headLater) this.body = new HeadFirst(this)
    else this.carrier.sendHead(this)
    this.#putFilters()
  }

  /** The last to ask stands nearest to the client. */
  #putFilters(): void {
    const filters = this.#bodyFilters
    if (filters.length === 0) return
    if (!this.headerOnly) for (let i = filters.length - 1; i >= 0; i--) this.body = filters[i]!(this.body)
    filters.length = 0
  }

  /** A header filter keeps the head back: the body goes to `sink`, until that calls `sendHeldHead` or `answerHeld`. */
  holdHead(sink: BodySink): void {
    this.#heldBy = sink
    this.refusal = HELD
  }

  /** Sends the head that was kept back; what comes back takes the body. */
  sendHeldHead(): BodySink {
    const { body } = this
    this.#filterHead(this.#heldAt)
    const next = this.body
    this.body = body
    return next
  }

  /** Answers `status` instead of the response whose head was kept back. */
  answerHeld(status: number): void {
    this.headSent = false
    this.cancelContent(status)
  }

  /**
   * Puts a filter into the body's way; called by header filters. `make` gets the sink behind it. The filter of the module
   * that runs first is nearest to the producer. One closure per filtered response, never per plain one.
   */
  addBodyFilter(make: (next: BodySink) => BodySink): void {
    this.#bodyFilters.push(make)
  }

  /** A header filter has asked to change the body. */
  get filtered(): boolean {
    return this.#bodyFilters.length > 0
  }

  /** The response that a header filter refused is over: answers with the filter's status instead. */
  answerRefusal(): void {
    const status = this.refusal
    this.refusal = 0
    this.headSent = false
    this.producer = undefined
    this.#bodyFilters.length = 0
    answerStatus(this, status)
  }

  /** The body was written to its last byte and handed to the carrier, or the response was given up. */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.producer = undefined
    if (trace !== undefined) trace.ended(this)
    if (this.main === this) this.#runEndSteps()
    if (this.background === 0) this.carrier.requestEnded(this)
    else if (this.background === this.copies) this.carrier.leaveBehind?.(this)
  }

  #runEndSteps(): void {
    const { endSteps } = this.location
    for (let i = 0; i < endSteps.length; i++) {
      const step = endSteps[i]!
      step.run(this, step.conf as never)
    }
  }

  /** An attempt with a back end is under way. */
  get asking(): boolean {
    return (this.conversation?.attempts.last?.responseMs ?? 0) < 0
  }

  /** A background subrequest is over. */
  backgroundEnded(): void {
    if (--this.background === 0 && this.ended) this.carrier.requestEnded(this)
  }

  /** Something goes on for the request that neither its client nor the next request waits for; `copyEnded` ends it. */
  copyBegun(): void {
    this.background++
    this.copies++
  }

  copyEnded(): void {
    this.copies--
    this.backgroundEnded()
  }

  /** The body cannot be completed: the client is cut off so that it does not take what it has for everything. */
  breakOff(): void {
    if (this.ended) return
    this.keepAlive = false
    this.body.abort()
    this.carrier.abortRequest(this, true)
    this.end()
  }

  /** The request is logged: gives back what it held. */
  cleanUp(): void {
    this.requestBody?.release()
    const { conversation } = this
    this.conversation = undefined
    conversation?.release()
    let { held } = this
    this.held = undefined
    for (; held !== undefined; held = held.nextHeld) held.onRequestEnd()
  }

  /** The client is gone or broke the protocol: stop whoever works for this request, then log it. */
  abort(status: number): void {
    if (this.ended) return
    this.aborted = true
    if (!this.headSent) this.out.status = status
    const { producer } = this
    this.producer = undefined
    if (producer !== undefined) producer.onAbort()
    if (this.headSent && this.body !== undefined) this.body.abort()
    // Copies of the request may still be on their way.
    if (this.main === this && this.background === 0) this.requestBody?.abort()
    this.end()
  }

  // ---- the request body ------------------------------------------------------------------------

  ensureBody(): RequestBody {
    this.requestBody ??= new RequestBody(this)
    return this.requestBody
  }

  /** Collects the request body, then goes on with `then` (at once when there is none). */
  readBody(then: (r: Request) => Verdict): Verdict {
    const body = this.ensureBody()
    if (!body.complete && (this.contentLength > 0 || this.chunked)) return body.collect(then)
    this.noBody()
    return body.collectNothing() ? then(this) : 500
  }

  /** The same with all of the body in a file that has a name: `requestBody.file`. */
  readBodyIntoFile(then: (r: Request) => Verdict): Verdict {
    if (this.contentLength <= 0 && !this.chunked) {
      this.noBody()
      this.ensureBody().complete = true
    }
    return this.ensureBody().collectIntoFile(then)
  }

  /** Who asks for the body finds none; a client may wait for a word before it sends that (ngx_http_test_expect). */
  noBody(): void {
    if (!this.expectContinue || this.main !== this || this.headSent || this.version !== HTTP11) return
    this.expectContinue = false
    this.carrier.sendInterim(this, 100, '')
  }

  /**
   * The body is not wanted: it is checked, dropped, and not there for anybody else. Returns 0, or the status that answers
   * a body that is broken or too large as far as it has come. Later that is answered as long as nothing else was.
   */
  discardBody(): number {
    this.expectContinue = false
    if (this.requestBody?.complete === true || this.main !== this) return 0
    if (this.contentLength <= 0 && !this.chunked) return 0
    const body = this.ensureBody()
    if (body.discarded) return 0
    const limited = this.chunked
    this.contentLength = -1
    this.chunked = false
    const status = body.drop(limited)
    if (status !== 0) this.keepAlive = false
    return status
  }

  /** The body that nobody wants is not what it claims to be. */
  discardedBodyFailed(status: number): void {
    this.keepAlive = false
    if (!this.headSent && !this.ended) this.cancelContent(status)
  }

  /** The carrier found the body malformed. */
  bodyFailed(status: number): void {
    const streamed = this.requestBody?.streaming === true
    this.requestBody?.discard()
    if (streamed) this.cancelContent(status)
    else if (this.#waiting) this.resume(status)
    else this.finish(status)
  }

  /** Stops whoever produces the response because of the request body, and answers `status` if that is still possible. */
  cancelContent(status: number): void {
    const { producer } = this
    this.producer = undefined
    producer?.onAbort()
    this.#waiting = false
    this.finish(status)
  }

  /** The client closed its side while the request is served (nginx: 499 unless the location says to go on). */
  clientEnded(): void {
    this.keepAlive = false
    const cut = this.requestBody?.cutAtOnce === true
    if ((this.producer?.ignoresClientAbort === true && !cut) || this.ended) return
    this.logError(INFO, leftText(this.producer === undefined || cut ? undefined : this.conversation))
    if (!this.headSent) this.out.status = cut ? 400 : 499
    this.carrier.abortRequest(this)
  }

  // ---- logs ------------------------------------------------------------------------------------

  get scheme(): string {
    return this.client.secure ? 'https' : 'http'
  }

  /** `$body_bytes_sent`. */
  get bodyBytesSent(): number {
    return Math.max(0, this.bytesSent - this.headLength)
  }

  get connection(): number {
    return this.client.id
  }

  get debugConnection(): boolean {
    return this.client.debug
  }

  /** nginx's account of who and what: it stands behind every message about a request. */
  describe(): string {
    return describeRequest(this)
  }

  /** Writes to the error log of the location; `level` is a number of log/error-log.ts. */
  logError(level: number, message: string): void {
    if (trace !== undefined) trace.logged(this, level, message)
    this.location.log.write(level, message, this)
  }
}
