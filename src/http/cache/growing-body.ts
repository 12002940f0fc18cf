/**
 * A body that is being written into a file while it is read: by another request, in this thread or another (a follower,
 * which has a descriptor of its own), or by the very request that fetches it, whose client is slower than the back end.
 */
import { closeOpen, readOpen } from '../../lib/file-status.ts'
import { BROKEN, GROWING, WHOLE } from '../../shared/cache/flights.ts'

/** Told that there is more, or an end. */
export interface GrowthListener {
  /** `available` or `state` has changed; called between events. */
  onGrowth(): void
}

/** What knows how far the body has come. */
export interface Growth {
  readonly written: number
  readonly expected: number
  readonly state: number
}

/** One reader's view of a body that grows. */
export class GrowingBody {
  readonly #growth: Growth
  readonly #base: number
  #fd: number
  listener: GrowthListener | undefined = undefined

  /** The descriptor belongs to the body from now on. */
  constructor(growth: Growth, fd: number, base: number) {
    this.#growth = growth
    this.#fd = fd
    this.#base = base
  }

  /** Bytes that can be read. */
  get available(): number {
    return this.#growth.written
  }

  /** The whole length when the back end has said it, or -1. */
  get expected(): number {
    return this.#growth.expected
  }

  /** GROWING, WHOLE or BROKEN. */
  get state(): number {
    return this.#growth.state
  }

  /** No more will come. */
  get ended(): boolean {
    return this.state !== GROWING
  }

  /** All has come. */
  get whole(): boolean {
    return this.state === WHOLE
  }

  /** What comes is no whole body: whoever was sent a part of it has to be cut off. */
  get broken(): boolean {
    return this.state === BROKEN
  }

  /** Reads from `position` of the body into the start of `into`; how much (0: nothing yet, or the end), or an errno's name. */
  read(into: Uint8Array, size: number, position: number): number | string {
    const count = Math.min(size, into.length, this.available - position)
    return count <= 0 ? 0 : readOpen(this.#fd, into, count, this.#base + position)
  }

  /** Closes the descriptor; may be called again. */
  close(): void {
    this.listener = undefined
    if (this.#fd < 0) return
    closeOpen(this.#fd)
    this.#fd = -1
  }
}
