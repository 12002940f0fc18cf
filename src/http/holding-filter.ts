/**
 * A filter that can hold bytes back: because they become more than the client takes, or because their time has not
 * come. While it holds some it stands in the producer's place, so that the client's readiness reaches it first.
 */
import { BodyFilter, type BodySink, type Producer } from './body.ts'
import type { Request } from './request.ts'

/** The base of such filters. */
export abstract class HoldingFilter extends BodyFilter implements Producer {
  protected readonly r: Request
  #behind: Producer | undefined
  #standing = false

  constructor(next: BodySink, r: Request) {
    super(next)
    this.r = r
  }

  get ignoresClientAbort(): boolean {
    return this.#behind?.ignoresClientAbort === true
  }

  /** The client takes bytes again: send what is held. */
  abstract onDrain(): void
  /** Gives back what is held: nothing more will be sent. */
  protected abstract drop(): void

  /** Takes the producer's place; answers what `write` is to answer then. */
  protected stall(): false {
    if (!this.#standing) {
      this.#standing = true
      this.#behind = this.r.producer
      this.r.producer = this
    }
    return false
  }

  /** Gives the producer its place back; call it before the last bytes are passed on. */
  protected step(): Producer | undefined {
    if (!this.#standing) return undefined
    this.#standing = false
    const behind = this.#behind
    this.#behind = undefined
    this.r.producer = behind
    return behind
  }

  onAbort(): void {
    const behind = this.step()
    this.r.producer = undefined
    this.drop()
    behind?.onAbort()
  }

  override abort(): void {
    this.drop()
    super.abort()
  }
}
