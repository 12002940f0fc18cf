/** Sends a response that another request is still receiving: what is there at once, and the rest as it comes. */
import { NO_BYTES } from '../../../lib/bytes.ts'
import { errnoText } from '../../../lib/errno.ts'
import { CRIT } from '../../../log/error-log.ts'
import type { CachedObject } from '../../cache/cached-object.ts'
import type { GrowingBody, GrowthListener } from '../../cache/growing-body.ts'
import { FLUSH, LAST, type Producer, STABLE } from '../../message/body.ts'
import type { Request } from '../../request/request.ts'

const PIECE_SIZE = 65536

/** Sends head and body of an object that grows. */
export function follow(r: Request, object: CachedObject): void {
  const body = object.growing!
  if (body.expected >= 0) r.out.contentLength = body.expected
  r.out.singleRange = true
  r.sendHead()
  if (r.headerOnly || r.refusal !== 0) {
    r.body.write(NO_BYTES, LAST)
    return
  }
  new Follower(r, body).start()
}

class Follower implements Producer, GrowthListener {
  readonly #r: Request
  readonly #body: GrowingBody
  #at = 0

  constructor(r: Request, body: GrowingBody) {
    this.#r = r
    this.#body = body
  }

  start(): void {
    this.#r.producer = this
    this.#body.listener = this
    this.#pump()
  }

  onGrowth(): void {
    this.#pump()
  }

  onDrain(): void {
    this.#pump()
  }

  onAbort(): void {
    this.#stop()
  }

  #stop(): void {
    this.#body.listener = undefined
    this.#r.producer = undefined
  }

  #pump(): void {
    const r = this.#r
    const body = this.#body
    while (r.producer === this) {
      // Asked before, so that bytes that come meanwhile are not taken for missing.
      const { whole, broken, available } = body
      const size = Math.min(PIECE_SIZE, available - this.#at)
      if (size > 0) {
        if (!this.#piece(size, whole && this.#at + size === available)) return
      } else if (whole) {
        this.#stop()
        r.body.write(NO_BYTES, LAST)
        return
      } else if (broken) {
        // What filters hold back goes first, as when a back end's answer is cut.
        if (!r.body.write(NO_BYTES, FLUSH) || r.producer !== this) return
        this.#stop()
        r.breakOff()
        return
      } else return
    }
  }

  /** Sends some bytes; false when there is no more to do now. */
  #piece(size: number, last: boolean): boolean {
    const r = this.#r
    const bytes = Buffer.allocUnsafe(size)
    const count = this.#body.read(bytes, size, this.#at)
    if (typeof count === 'string') {
      this.#stop()
      r.logError(CRIT, `pread() of a response that is being cached failed ${errnoText(count)}`)
      r.breakOff()
      return false
    }
    if (count === 0) return false
    this.#at += count
    const ends = last && count === size
    if (ends) this.#stop()
    return r.body.write(bytes.subarray(0, count), ends ? LAST | STABLE : STABLE) && !ends
  }
}
