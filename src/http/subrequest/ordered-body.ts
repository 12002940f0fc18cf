/**
 * Bodies of subrequests in the body of their parent (ngx_http_postpone_filter_module). Everything leaves in the order in
 * which it was asked for; who is not at the head of the queue is held back, after one piece at most, by back-pressure.
 *
 *   producer -> [ssi] -> OrderedBody -> [gzip] -> framing          queue: [ subrequest 1 | own bytes | subrequest 2 ]
 *                            ^ subrequests write here, through their own filters
 */
import { NO_BYTES } from '../../lib/bytes.ts'
import { FLUSH, LAST, LENT, STABLE } from '../message/body.ts'
import type { Request } from '../request/request.ts'
import { defineSlot } from '../request/slots.ts'
import { HoldingFilter } from '../response/holding-filter.ts'
import { Subrequest, type SubrequestOwner } from './subrequest.ts'

const OK = 200

interface Piece {
  readonly bytes: Uint8Array
  readonly flags: number
}

const bodies = defineSlot<OrderedBody>()

/** The place in a response where subrequests put their bodies in; undefined when its location makes none. */
export function orderedBody(r: Request): OrderedBody | undefined {
  return r.get(bodies)
}

/** Makes that place; called by the header filter that stands between those who ask for subrequests and the compressors. */
export function addOrderedBody(r: Request): void {
  if (r.headerOnly) return
  r.headLater = r.main === r
  r.addBodyFilter((next) => {
    const body = new OrderedBody(next, r)
    r.set(bodies, body)
    return body
  })
}

/** The filter that keeps the order. */
export class OrderedBody extends HoldingFilter {
  #queue: (InPlaceSubrequest | Piece)[] = []
  /** The next sink takes no more for now; this filter stands in the producer's place then. */
  #full = false
  #advancing = false

  /** Something is waited for: what is written now is held. */
  get busy(): boolean {
    return this.#queue.length > 0
  }

  /** Puts a subrequest behind all that was written so far. */
  append(sr: InPlaceSubrequest): void {
    this.#queue.push(sr)
    if (this.#queue.length === 1) sr.active = true
    this.stall()
  }

  write(bytes: Uint8Array, flags: number): boolean {
    if (this.#queue.length === 0) return this.#passOwn(bytes, flags)
    if (bytes.length > 0 || (flags & (LAST | FLUSH)) !== 0) this.#queue.push(keep(bytes, flags))
    return false
  }

  override writeText(text: string, flags: number): boolean {
    const whole = this.#queue.length === 0 && (flags & LAST) !== 0
    return whole ? this.next.writeText(text, flags) : super.writeText(text, flags)
  }

  #passOwn(bytes: Uint8Array, flags: number): boolean {
    if (this.next.write(bytes, flags)) return true
    // With the last bytes the request may be over.
    if ((flags & LAST) !== 0) return false
    this.#full = true
    return this.stall()
  }

  /** The subrequest at the head of the queue writes; not while `full`. */
  pass(bytes: Uint8Array, flags: number): boolean {
    if (!this.next.write(bytes, flags)) this.#full = true
    return !this.#full
  }

  get full(): boolean {
    return this.#full
  }

  /** A subrequest has written its last byte. */
  onOver(sr: InPlaceSubrequest): void {
    if (this.#queue[0] === sr) this.#advance()
  }

  onDrain(): void {
    this.#full = false
    const head = this.#queue[0]
    if (head instanceof InPlaceSubrequest && !head.over) head.resume()
    else this.#advance()
  }

  #advance(): void {
    if (this.#advancing) return
    this.#advancing = true
    while (!this.#full && this.#queue.length > 0) {
      const head = this.#queue[0]!
      if (head instanceof InPlaceSubrequest) {
        if (!head.active || head.over) head.resume()
        if (!head.done) break
        this.#queue.shift()
      } else if (this.#pass(head)) return
    }
    this.#advancing = false
    if (!this.#full && this.#queue.length === 0) this.step()?.onDrain()
  }

  /** Passes on own bytes; true when they were the last. */
  #pass({ bytes, flags }: Piece): boolean {
    this.#queue.shift()
    const last = (flags & LAST) !== 0
    if (last) this.step()
    if (!this.next.write(bytes, flags)) this.#full = true
    return last
  }

  protected drop(): void {
    const queue = this.#queue
    this.#queue = []
    for (const entry of queue) if (entry instanceof InPlaceSubrequest) entry.r.abort(499)
  }
}

/** Bytes that are kept beyond the call that brought them. */
function keep(bytes: Uint8Array, flags: number): Piece {
  const stable = (flags & STABLE) !== 0
  return { bytes: stable ? bytes : Buffer.from(bytes), flags: (flags | STABLE) & ~LENT }
}

/** A subrequest whose body appears in its parent's, where it was started. */
export class InPlaceSubrequest extends Subrequest {
  readonly #order: OrderedBody
  /** It is its turn: what it writes goes out. */
  active = false
  over = false
  /** What is sent in place of an error, or of nothing. */
  stub: Uint8Array | undefined
  #held: Piece[] = []

  constructor(parent: Request, order: OrderedBody, uri: string, args: string, owner?: SubrequestOwner) {
    super(parent, uri, args, owner)
    this.#order = order
  }

  override start(): boolean {
    if (!super.start()) return false
    this.#order.append(this)
    return true
  }

  override write(bytes: Uint8Array, flags: number): boolean {
    const { r } = this
    if (r.ended) return true
    const size = r.headerOnly ? 0 : bytes.length
    let room = true
    if (size > 0 || (flags & FLUSH) !== 0) {
      r.bytesSent += size
      room = this.#emit(size > 0 ? bytes : NO_BYTES, flags & ~LAST)
    }
    if ((flags & LAST) === 0) return room
    if (this.stub !== undefined && r.bytesSent === 0) this.#emit(this.stub, STABLE)
    r.end()
    return true
  }

  answerStatus(r: Request): boolean {
    const { stub } = this
    if (stub === undefined) return false
    this.stub = undefined
    r.out.clearBody()
    r.out.status = OK
    r.out.contentType = r.parent!.out.contentType
    r.sendHead()
    r.body.write(stub, LAST | STABLE)
    return true
  }

  /** Sends bytes, or holds them until it is its turn. */
  #emit(bytes: Uint8Array, flags: number): boolean {
    if (this.active && this.#held.length === 0 && !this.#order.full) return this.#order.pass(bytes, flags)
    this.#held.push(keep(bytes, flags))
    return false
  }

  /** It is its turn, and there is room: what was held goes first, then the producer goes on. */
  resume(): void {
    this.active = true
    while (this.#held.length > 0) {
      const { bytes, flags } = this.#held.shift()!
      if (!this.#order.pass(bytes, flags)) return
    }
    if (!this.over) this.r.producer?.onDrain()
  }

  /** All that it had is passed on. */
  get done(): boolean {
    return this.over && this.#held.length === 0
  }

  protected override onOver(): void {
    this.over = true
    this.#order.onOver(this)
  }
}
