/**
 * A filter that can hold bytes back: because they become more than the client takes, or because their time has not
 * come. While it holds some it stands in the producer's place, so that the client's readiness reaches it first. When
 * several do, they stand in the order of the body's way: the one nearest to the client is told first.
 */
import { BodyFilter, type BodySink, type Producer } from '../message/body.ts'
import type { Request } from '../request/request.ts'

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

  /** Takes the producer's place, behind the filters nearer to the client; answers what `write` is to answer then. */
  protected stall(): false {
    if (this.#standing) return false
    this.#standing = true
    const { r } = this
    let above: HoldingFilter | undefined
    let at = r.producer
    while (at instanceof HoldingFilter && this.#passesTo(at)) {
      above = at
      at = at.#behind
    }
    this.#behind = at
    if (above === undefined) r.producer = this
    else above.#behind = this
    return false
  }

  /** Tells whether what this filter passes on reaches `filter`. */
  #passesTo(filter: HoldingFilter): boolean {
    for (let at: BodySink = this.next; at instanceof BodyFilter; at = at.next) if (at === filter) return true
    return false
  }

  /** Gives the producer its place back; call it before the last bytes are passed on. */
  protected step(): Producer | undefined {
    if (!this.#standing) return undefined
    this.#standing = false
    const behind = this.#behind
    this.#behind = undefined
    let at = this.r.producer
    if (at === this) this.r.producer = behind
    else {
      while (at instanceof HoldingFilter && at.#behind !== this) at = at.#behind
      if (at instanceof HoldingFilter) at.#behind = behind
    }
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
