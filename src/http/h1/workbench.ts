/**
 * What an HTTP/1 connection needs while it has a request, and is too large to be kept by thousands that have none: it takes
 * one when bytes come, and gives it back when the answer is out and many others have theirs. So a connection that waits costs a
 * quarter of one that works, and one that brings a single request makes next to nothing of its own.
 */
import { type Later, postpone } from '../../net/flush.ts'
import type { Wire } from '../../net/wire.ts'
import { REQUEST_LIMITS, type RequestLimits } from '../message/head-limits.ts'
import type { Carrier } from '../request/carrier.ts'
import { NoCarrier } from '../request/no-carrier.ts'
import { Request } from '../request/request.ts'
import { BodyReader } from './body-reader.ts'
import { RequestParser } from './request-parser.ts'
import { ResponseWriter, type WriterOwner } from './response-writer.ts'

/** So many are kept for requests to come. */
const FREE_MAX = 512
/** While no more than so many are taken, connections that wait keep theirs: giving and taking costs a little, too. */
const KEPT_MAX = 256

/** The connection that a request comes by. */
interface WorkbenchUser extends Carrier, WriterOwner {
  readonly wire: Wire
}

/** Whom a free one serves: nothing of its last user is kept alive by it. */
class Nobody extends NoCarrier implements WorkbenchUser {
  readonly wire = this.client.wire

  onResponseStalled(): void {}
  onResponseMoving(): void {}
}

const nobody = new Nobody()
const free: Workbench[] = []
let takenCount = 0

/** The parts, which serve one connection at a time. */
export class Workbench implements Later {
  readonly parser: RequestParser = new RequestParser()
  readonly request: Request = new Request(nobody)
  readonly body: BodyReader = new BodyReader(this.request)
  readonly writer: ResponseWriter = new ResponseWriter(this.request)
  #isClean = true

  constructor() {
    this.request.headers = this.parser.headers
    this.request.facts = this.parser.facts
  }

  /** Serves a connection from now on. */
  serve(user: WorkbenchUser, limits: RequestLimits): void {
    this.parser.limits = limits
    this.request.carrier = user
    this.request.client = user.client
    this.body.cut = false
    this.writer.serve(user.wire, user)
  }

  /** A request begins. */
  begin(): void {
    this.#isClean = false
    this.writer.begin()
  }

  /** Somebody works for the request. */
  get isServing(): boolean {
    return !this.#isClean && (!this.request.ended || this.request.background > 0)
  }

  /** Forgets the last request. */
  reset(): void {
    if (this.#isClean) return
    this.#isClean = true
    this.parser.reset()
    this.request.reset()
  }

  /** The event in which it was given back is over. */
  runLater(): void {
    if (free.length >= FREE_MAX) return
    this.reset()
    this.serve(nobody, REQUEST_LIMITS)
    // As before its first request: nor are settings that a reload has replaced.
    this.request.server = this.request.location = undefined as never
    free.push(this)
  }
}

/** A connection as far as it has a workbench. */
export abstract class BenchHolder {
  /** The one that is taken. */
  protected benchTaken: Workbench | undefined

  /** The workbench, which is taken when it is asked for. */
  protected get bench(): Workbench {
    this.benchTaken ??= this.#takeBench()
    return this.benchTaken
  }

  protected get request(): Request {
    return this.bench.request
  }

  abstract get idle(): boolean

  get body(): BodyReader {
    return this.bench.body
  }

  /** Has one serve this connection, with its limits. */
  protected abstract serveBench(bench: Workbench): void

  #takeBench(): Workbench {
    takenCount++
    const bench = free.pop() ?? new Workbench()
    this.serveBench(bench)
    return bench
  }

  /** Waits, with nothing of a request in hand: others may need the workbench. */
  protected leaveBench(): void {
    const bench = this.benchTaken
    if (bench === undefined || takenCount <= KEPT_MAX) return
    this.loseBench()
    postpone(bench)
  }

  /** The last request was one of another configuration, and so are the limits for the next. */
  renew(): void {
    const bench = this.benchTaken
    if (bench === undefined || !this.idle) return
    this.loseBench()
    postpone(bench)
  }

  /** The connection is over; `requestEnded` follows, and then this again, when somebody works for its request. */
  protected clearBench(): void {
    const bench = this.benchTaken
    if (bench === undefined || bench.isServing) return
    this.loseBench()
    // Who works for a request that is broken off may hear of that later, and one that has not begun is not worth the trouble.
    if (bench.request.ended && !bench.request.aborted) postpone(bench)
  }

  /** It will be gone with its request. */
  protected loseBench(): void {
    this.benchTaken = undefined
    takenCount--
  }
}
