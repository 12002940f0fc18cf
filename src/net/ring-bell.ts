/**
 * Wakes a thread's event loop when its ring has something to say. The kernel counts on a descriptor (eventfd), and that is
 * read by one of Node's own handles, as if it were a pipe: so ticks and promises run behind it, what is thrown ends the
 * thread, and Node takes it down with the thread. koffi can have libuv watch a descriptor, but does none of these.
 */
import { assert } from '../lib/assert.ts'
import type { Calls } from '../sys/calls.ts'

const EFD_NONBLOCK_CLOEXEC = 0x80800
/** A count takes eight; a read that does not fill its buffer is known to be the last. */
const READ_SIZE = 16

/** Where counts are read into and nobody looks. Handles do not keep their buffers alive: it lives as long as the thread. */
const count = Buffer.allocUnsafeSlow(READ_SIZE)

interface BellHandle {
  onread: () => void
  open(fd: number): number
  useUserBuffer(buffer: Buffer): void
  readStart(): number
  unref(): void
  close(): void
}

interface PipeBinding {
  Pipe: new (type: number) => BellHandle
  constants: { readonly SOCKET: number }
}

export class RingBell {
  /** What the kernel counts on. */
  readonly fd: number
  readonly #handle: BellHandle

  private constructor(fd: number, handle: BellHandle) {
    this.fd = fd
    this.#handle = handle
  }

  /** Hangs up a bell; a negative errno when there is none. */
  static hang(calls: Calls, ring: () => void): RingBell | number {
    const fd = calls.eventCounter(EFD_NONBLOCK_CLOEXEC)
    if (fd < 0) return fd
    // The shape of Node's own binding, as node:net uses it.
    const { Pipe, constants } = (process as unknown as { binding(name: string): unknown }).binding(
      'pipe_wrap',
    ) as PipeBinding
    const handle = new Pipe(constants.SOCKET)
    assert(handle.open(fd) === 0, 'a descriptor that was just made can be opened')
    handle.useUserBuffer(count)
    handle.onread = ring
    handle.readStart()
    return new RingBell(fd, handle)
  }

  /** It no longer holds the process. */
  unref(): void {
    this.#handle.unref()
  }

  /** Takes it down, and closes the descriptor. */
  close(): void {
    this.#handle.close()
  }
}
