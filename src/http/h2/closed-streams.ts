/**
 * How the last streams of a connection ended: frames that were on their way when the server ended a stream are no
 * mistake, frames on a stream that the client itself has ended are (RFC 9113, 5.1).
 */

const REMEMBERED = 64

export class ClosedStreams {
  /** Stream numbers, negative for those that the server ended before the client did; oldest overwritten. */
  #ring: Int32Array | undefined
  #at = 0

  add(stream: number, byClient: boolean): void {
    this.#ring ??= new Int32Array(REMEMBERED)
    this.#ring[this.#at++ % REMEMBERED] = byClient ? stream : -stream
  }

  /** The client had ended the stream. */
  byClient(stream: number): boolean {
    return this.#ring?.includes(stream) === true
  }

  /** The server ended the stream while the client could still send. */
  byServer(stream: number): boolean {
    return this.#ring?.includes(-stream) === true
  }
}
