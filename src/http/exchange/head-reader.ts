/** Joins a response head that comes in parts until the codec has it, and passes interim heads on. */

import { assert } from '../../lib/assert.ts'
import { NO_BYTES } from '../../lib/bytes.ts'
import type { Request } from '../request/request.ts'
import { type Codec, HEAD_DONE, HEAD_INTERIM, HEAD_INVALID, HEAD_MORE } from './codec.ts'
import type { ExchangeConf } from './conf.ts'
import { passInterim } from './interim.ts'

export class HeadReader {
  /** Bytes of a head that came in parts. */
  #partial: Buffer = NO_BYTES
  /** The size of interim heads in this attempt. */
  #interimBytes = 0
  /** The head and what follows it, after HEAD_DONE: `buffer[start, at)` and `buffer[at, end)`. */
  buffer: Buffer = NO_BYTES
  start = 0
  at = 0
  end = 0

  /** Bytes have come behind the head. */
  get more(): boolean {
    return this.at < this.end
  }

  /** How many bytes have come behind the head: `$upstream_response_length` counts them with the framing of chunks. */
  get size(): number {
    return this.end - this.at
  }

  /** What has come behind the head is all that is left of a response whose body nobody wants. */
  isLast(codec: Codec): boolean {
    return codec.endsWithin?.(this.buffer, this.at, this.end) === true
  }

  /** Makes ready for another attempt. */
  begin(): void {
    this.#partial = this.buffer = NO_BYTES
    this.start = this.at = this.end = 0
    this.#interimBytes = 0
  }

  /** Reads on; HEAD_MORE, HEAD_INVALID or HEAD_DONE. The bytes are borrowed. */
  read(r: Request, conf: ExchangeConf, codec: Codec, bytes: Buffer, size: number): number {
    const fresh = this.#partial.length === 0
    const buffer = fresh ? bytes : Buffer.concat([this.#partial, bytes.subarray(0, size)])
    const end = fresh ? size : buffer.length
    for (let at = 0; ; ) {
      const code = codec.parseHead(buffer, at, end)
      switch (code) {
        case HEAD_MORE:
          if (codec.takesHead !== true) this.#partial = fresh || at > 0 ? Buffer.from(buffer.subarray(at, end)) : buffer
          return code
        case HEAD_INVALID:
          return code
        case HEAD_INTERIM:
          at += codec.headLength
          this.#interimBytes += codec.headLength + (codec.headBytes ?? 0)
          passInterim(r, conf, codec, this.#interimBytes)
          codec.nextHead()
          continue
        default:
          assert(code === HEAD_DONE, 'the codec answers with one of its codes')
          this.#partial = NO_BYTES
          this.buffer = buffer
          this.start = at
          this.at = at + codec.headLength
          this.end = end
          return code
      }
    }
  }
}
