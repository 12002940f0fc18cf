/**
 * The response body on its way to the client: a chain of sinks that holds only the filters that this response needs.
 *
 *   producer -> [charset] -> [gzip] -> [range] -> framing (the connection's own sink)
 *
 * Bytes are borrowed until `write` returns: who keeps them copies them, unless they are marked STABLE.
 */
import type { FilePiece } from '../../net/wire.ts'

/** These are the last bytes (there may be none). */
export const LAST = 1
/** The bytes never change (a cached file, a literal): they may be kept without a copy. */
export const STABLE = 2
/** What was written so far should reach the client now (`proxy_buffering off`). */
export const FLUSH = 4

/**
 * The bytes stay as they are until the carrier has nothing pending: it need not copy them. For anybody between, and for
 * a carrier that does not look at this, they are merely borrowed.
 */
export const LENT = 8

/** Takes the bytes of one response body. */
export abstract class BodySink {
  /**
   * Takes `bytes`, with `flags` of LAST, STABLE and FLUSH. Returns false when the receiver is full: the producer stops
   * until its `onDrain`. Not called again after LAST.
   */
  abstract write(bytes: Uint8Array, flags: number): boolean
  /** Takes a binary string instead of bytes: cheaper for a short literal that goes out as it is. */
  writeText(text: string, flags: number): boolean {
    return this.write(Buffer.from(text, 'latin1'), flags | STABLE)
  }
  /** Parts of files go out as they are, by `writeFile`. */
  get takesFiles(): boolean {
    return false
  }
  /** Takes a part of a file in place of bytes; only where `takesFiles` says so. */
  writeFile(piece: FilePiece, _flags: number): boolean {
    piece.done(0)
    return true
  }
  /** The response is abandoned: releases what is held, then tells the next sink. */
  abort(): void {}
}

/** A sink that changes what passes through it. */
export abstract class BodyFilter extends BodySink {
  readonly next: BodySink
  constructor(next: BodySink) {
    super()
    this.next = next
  }
  override abort(): void {
    this.next.abort()
  }
}

/** Who fills a response body and can be made to wait. */
export interface Producer {
  /** The sink takes bytes again after a `write` that returned false. */
  onDrain(): void
  /** The client is gone or the response was ended from elsewhere: stop, release everything. */
  onAbort(): void
  /** `proxy_ignore_client_abort`: the client's leaving is no reason to stop. */
  readonly ignoresClientAbort?: boolean
}
