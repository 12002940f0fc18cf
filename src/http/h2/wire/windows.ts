/** Flow control (RFC 9113, 5.2) as far as both sides of the program do it alike. */
import { WINDOW_DEFAULT, WINDOW_MAX, windowUpdate } from './frames.ts'

/** Tells whether a window that may be sent into would become larger than any may be. */
export function overflows(window: number, count: number): boolean {
  return count > WINDOW_MAX - window
}

/**
 * What a peer may send on all streams of a connection together. That is not what back-pressure works by, since a request
 * that is slow must not hold up the others: the window is as large as it can be, and filled again long before it is empty.
 */
export class ConnectionWindow {
  left = WINDOW_MAX

  /** What a peer must be told to have the window that it may count on. */
  static firstUpdate(): string {
    return windowUpdate(0, WINDOW_MAX - WINDOW_DEFAULT)
  }

  /** Takes the bytes of a DATA frame; false: the peer may not send so many. */
  take(size: number): boolean {
    if (size > this.left) return false
    this.left -= size
    return true
  }

  /** A frame that fills the window again, or an empty text while that can wait. */
  refill(): string {
    if (this.left >= WINDOW_MAX / 4) return ''
    const frame = windowUpdate(0, WINDOW_MAX - this.left)
    this.left = WINDOW_MAX
    return frame
  }
}
