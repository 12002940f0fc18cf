/** What stands in the place of the carrier's sink while the head of a response is not sent yet, or will never be. */
import { BodySink, LAST } from '../message/body.ts'
import type { Request } from './request.ts'

/** Sends the head before the first bytes. */
export class HeadFirst extends BodySink {
  readonly #r: Request
  #next: BodySink | undefined

  constructor(r: Request) {
    super()
    this.#r = r
  }

  write(bytes: Uint8Array, flags: number): boolean {
    this.#next ??= this.#send()
    return this.#next.write(bytes, flags)
  }

  #send(): BodySink {
    const r = this.#r
    const { body } = r
    r.carrier.sendHead(r)
    const next = r.body
    r.body = body
    return next
  }

  override abort(): void {
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
