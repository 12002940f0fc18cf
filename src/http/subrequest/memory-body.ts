/** Subrequests whose body is kept in memory for whoever asked (nginx's NGX_HTTP_SUBREQUEST_IN_MEMORY). */
import { ERROR } from '../../log/error-log.ts'
import { LAST, STABLE } from '../message/body.ts'
import type { Request } from '../request/request.ts'
import { Subrequest } from './subrequest.ts'

/** Collects up to `subrequest_output_buffer_size`; a longer body ends the main request, as in nginx. */
export class MemorySubrequest extends Subrequest {
  override readonly inMemory: boolean = true
  #pieces: Uint8Array[] = []
  #size = 0

  /** The body, for `onSubrequestEnd`. */
  get body(): Buffer {
    return Buffer.concat(this.#pieces, this.#size)
  }

  /** How long the body may be. */
  protected get sizeMax(): number {
    return this.r.location.core.subrequest_output_buffer_size
  }

  override sendHead(r: Request): void {
    super.sendHead(r)
    const { contentLength } = r.out
    if (contentLength > this.sizeMax) this.#refuse(`: ${contentLength}`)
  }

  override write(bytes: Uint8Array, flags: number): boolean {
    const { r } = this
    if (r.ended) return true
    if (bytes.length > 0 && !r.headerOnly) {
      this.#size += bytes.length
      if (this.#size > this.sizeMax) return this.#refuse('')
      this.#pieces.push((flags & STABLE) !== 0 ? bytes : Buffer.from(bytes))
    }
    if ((flags & LAST) !== 0) r.end()
    return true
  }

  #refuse(size: string): boolean {
    const { r } = this
    r.logError(ERROR, `too big subrequest response${size}`)
    r.abort(0)
    r.main.carrier.abortRequest(r.main)
    return true
  }
}
