/**
 * What a peer makes us say (acknowledgements, window updates, resets) and does not take: it is told as often as it asks,
 * and asking costs it no more than answering costs us, but what waits for a peer that does not read has a limit.
 *
 *   .... taken ....|---- older ----|---- newer ----> written      What is owed is at most older + newer; when the kernel
 *                                  mark                           has taken all up to the mark, the newer become the older.
 */
import type { Wire } from '../../../net/wire.ts'

/** Far more than a peer that reads ever leaves untaken. */
const OWED_BYTES_MAX = 262144

/** One connection's account. */
export class OwedBytes {
  #older = 0
  #newer = 0
  /** Where among the wire's bytes the older ones end. */
  #mark = 0

  /** Notes that `size` such bytes were written to `wire`. */
  add(wire: Wire, size: number): void {
    if (wire.bytesWritten - wire.pendingBytes >= this.#mark) {
      this.#older = this.#newer
      this.#newer = 0
      this.#mark = wire.bytesWritten
    }
    this.#newer += size
  }

  /** The peer leaves too much untaken. */
  get excessive(): boolean {
    return this.#older + this.#newer > OWED_BYTES_MAX
  }
}
