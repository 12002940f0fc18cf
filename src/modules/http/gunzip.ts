/** ngx_http_gunzip_filter_module: decompresses responses for clients that do not take gzip. */

import { flag, sizeList } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { type BodySink, FLUSH, LAST } from '../../http/message/body.ts'
import type { Request } from '../../http/request/request.ts'
import { acceptsGzip, type GzipClientRules, gzipClientRules, noteVary } from '../../http/response/gzip-client.ts'
import { HoldingFilter } from '../../http/response/holding-filter.ts'
import { NO_BYTES } from '../../lib/bytes.ts'
import { END, ZlibStream } from '../../lib/zlib-stream.ts'
import { ERROR } from '../../log/error-log.ts'

const HSL = ['http', 'server', 'location'] as const
const PIECE_SIZE = 65536

/** The module list's entry. */
export const gunzipModule = httpModule({
  name: 'http_gunzip',
  doc: 'Decompresses responses for clients that do not take gzip.',
  directives: {
    gunzip: directive({
      in: HSL,
      args: flag,
      default: 'off',
      doc: 'Decompresses responses with `Content-Encoding: gzip` for clients that do not take it.',
    }),
    gunzip_buffers: directive({
      in: HSL,
      args: sizeList,
      default: '32 4k',
      doc: 'Buffers for decompression.',
      withoutEffect: 'Pieces are passed on as they come.',
    }),
  },
  attach(conf, plan, at) {
    if (conf.gunzip) plan.headerFilter(decompress, gzipClientRules(at.scope))
  },
})

function decompress(r: Request, rules: GzipClientRules): void {
  const { out } = r
  if (out.contentEncoding.toLowerCase() !== 'gzip') return
  noteVary(r, rules)
  if (acceptsGzip(r, rules)) return
  out.contentEncoding = ''
  out.transform()
  if (!r.headerOnly) r.addBodyFilter((next) => new GunzipBody(next, r))
}

const piece = Buffer.allocUnsafeSlow(PIECE_SIZE)

class GunzipBody extends HoldingFilter {
  readonly #stream = ZlibStream.gunzip()
  /** Input that waits for the client to take what came out before. */
  #held: Uint8Array | undefined
  #heldFlags = 0
  /** Something has come: an empty body is not the beginning of one. */
  #begun = false

  constructor(next: BodySink, r: Request) {
    super(next, r)
  }

  write(bytes: Uint8Array, flags: number): boolean {
    let input = bytes
    let room = true
    if (bytes.length > 0) this.#begun = true
    while (input.length > 0 || this.#stream.more) {
      const size = this.#stream.write(input, piece)
      if (this.#stream.error !== '') return this.#fail(`inflate() failed: ${this.#stream.error}`)
      input = input.subarray(this.#stream.used)
      if (size > 0) room = this.next.write(piece.subarray(0, size), 0)
      // What comes after the end of the compressed body is nothing of it.
      else if (this.#stream.used === 0) break
      if (!room && (input.length > 0 || this.#stream.more)) {
        this.#held = Buffer.from(input)
        this.#heldFlags = flags
        return this.stall()
      }
    }
    if ((flags & LAST) === 0) return (flags & FLUSH) === 0 ? room : this.next.write(NO_BYTES, FLUSH)
    if (this.#begun && this.#isCut()) return this.#fail('inflate() returned -5 on response end')
    this.drop()
    return this.next.write(NO_BYTES, LAST)
  }

  onDrain(): void {
    const held = this.#held ?? NO_BYTES
    this.#held = undefined
    const behind = this.step()
    if (this.write(held, this.#heldFlags) && (this.#heldFlags & LAST) === 0) behind?.onDrain()
  }

  protected drop(): void {
    this.#held = undefined
    this.#stream.close()
  }

  /** All came that will, and the compressed body goes on behind it: nobody may take the rest for all of it. */
  #isCut(): boolean {
    this.#stream.write(NO_BYTES, piece, END)
    return this.#stream.error !== ''
  }

  #fail(problem: string): boolean {
    this.r.logError(ERROR, problem)
    this.drop()
    this.r.breakOff()
    return true
  }
}
