/** What stands in the place of the carrier's sink while the head of a response is not sent yet, or will never be. */
import { BodySink, FLUSH, LAST, STABLE } from '../message/body.ts'
import type { Request } from './request.ts'

/** Sends the head before the first bytes, or before as many of them as `headHeld` says. */
export class HeadFirst extends BodySink {
  readonly #r: Request
  #next: BodySink | undefined
  #held: Buffer[] = []
  #heldSize = 0

  constructor(r: Request) {
    super()
    this.#r = r
  }

  write(bytes: Uint8Array, flags: number): boolean {
    if (this.#next === undefined) {
      if (this.#holds(bytes, flags)) return true
      this.#next = this.#send()
      for (const held of this.#held.splice(0)) this.#next.write(held, STABLE)
    }
    return this.#next.write(bytes, flags)
  }

  #holds(bytes: Uint8Array, flags: number): boolean {
    this.#heldSize += bytes.length
    if ((flags & (LAST | FLUSH)) !== 0 || this.#heldSize >= this.#r.headHeld) return false
    this.#held.push(Buffer.from(bytes))
    return true
  }

  #send(): BodySink {
    const r = this.#r
    const { body } = r
    r.carrier.sendHead(r)
    const next = r.body
    r.body = body
    return next
  }

  /**
   * A response that breaks off has begun: its head is sent all the same, as it would be if nothing could come before its
   * body. One that is held back until there is enough of it has not begun.
   */
  override abort(): void {
    if (!this.#r.aborted && this.#r.headHeld === 0) this.#next ??= this.#send()
    this.#next?.abort()
  }
}

/** Swallows the body of a refused response; who makes it need not know. */
export class RefusedBody extends BodySink {
  readonly #r: Request

  constructor(r: Request) {
    super()
    this.#r = r
  }

  write(_bytes: Uint8Array, flags: number): boolean {
    if ((flags & LAST) !== 0 && !this.#r.ended) this.#r.answerRefusal()
    return true
  }
}
