/**
 * When a thread waits by its ring instead of in its event loop. Each way through Node's loop costs several system calls and as
 * much of Node's own work as many an event does; while the next event is near, the thread stays where the kernel tells of it
 * (a vigil), which is one call for all. Others are not forgotten meanwhile: ticks and promises run before each wait, a vigil
 * ends after a millisecond, so that timers are late by no more, and at once when the event loop has something to do.
 *
 *   loop's descriptor   libuv waits on an epoll of its own for all that is not the ring's; the ring watches that, too
 *   turn                so long a vigil lasts; one operation of the ring tells, since a time-out for each wait costs more
 *                       than the wait: on virtual machines setting the timer is a way out to the host
 */
import fs from 'node:fs'
import { assert } from '../lib/assert.ts'
import { loop } from '../lib/soon.ts'
import { ASKED, type Ring, type RingUser, type Vigil } from './ring.ts'

/** In milliseconds, below a second. Tests are not to depend on how fast a machine is. */
interface Pace {
  /** How long a vigil lasts: so late may be what the event loop has to do and the ring does not know of. */
  readonly turn: number
  /** A bell that rings again so soon is worth staying for. */
  readonly quick: number
}

const PACE: Pace = { turn: 1, quick: 0.5 }
/** With fewer waits in that time going through the event loop costs less: after some such vigils in a row there are none. */
const WAITS_MIN = 2
const VAIN_MAX = 3
/** So many quick bells in a row begin a vigil; right behind one that was in vain more. */
const QUICK_MIN = 4
const QUICK_AGAIN = 64

/** Runs ticks and promises, as Node does behind each callback and between timers. */
const runTicks = (process as unknown as { readonly _tickCallback?: () => void })._tickCallback

/** The vigils of one ring. */
export class RingVigil implements RingUser, Vigil {
  readonly isPatient = true
  readonly #ring: Ring
  readonly #slot: number
  readonly #bell: number
  readonly #pace: Pace
  /** What libuv waits on; 0: nobody has looked yet, -1: it was not found, and there are no vigils. */
  #loop = runTicks === undefined ? -1 : 0
  /** Operations that have not completed. */
  #watching = false
  #cancelling = false
  #timing = false
  #isOver = true
  /** Another one follows, as soon as the event loop has come round. */
  #goesOn = false
  /** How many in a row were not worth it. */
  #vain = 0
  #waits = 0
  /** Bells that must still ring at short intervals. */
  #toCome = QUICK_MIN
  #leftMs = 0

  constructor(ring: Ring, bell: number, pace = PACE) {
    this.#ring = ring
    this.#bell = bell
    this.#pace = pace
    this.#slot = ring.enter(this)
  }

  begin(): boolean {
    if (this.#loop < 0 || !(this.#goesOn || this.#isWorthIt()) || loop.awaited > 0) return false
    this.#waits = 0
    this.#goesOn = this.#isOver = false
    if (!this.#watching) this.#ring.whenReadable(this.#slot, this.#loop)
    if (!this.#timing) this.#ring.wakeUp(this.#slot, this.#pace.turn)
    this.#watching = this.#timing = true
    return true
  }

  #isWorthIt(): boolean {
    const isQuick = performance.now() - this.#leftMs < this.#pace.quick
    this.#toCome = isQuick ? this.#toCome - 1 : QUICK_MIN
    if (this.#toCome > 0) return false
    if (this.#loop === 0) this.#loop = loopWatching(this.#bell)
    return this.#loop > 0
  }

  get isOver(): boolean {
    return this.#isOver || loop.awaited > 0
  }

  beforeWait(): void {
    this.#waits++
    runTicks!()
  }

  end(stayed: boolean): boolean {
    if (stayed) {
      this.#vain = this.#waits >= WAITS_MIN ? 0 : this.#vain + 1
      this.#goesOn = this.#vain < VAIN_MAX
      this.#toCome = QUICK_AGAIN
    }
    if (!this.#goesOn) this.#leftMs = performance.now()
    return this.#goesOn || !this.#unwatch()
  }

  /**
   * Nothing of the ring watches the loop while the bell may ring: what the loop hears would lead to the ring, and from within the
   * ringing of an eventfd the kernel does not ring another one but puts that off. From Linux 6.11 on it does so once: the mark
   * that something was put off (IO_EVENTFD_OP_SIGNAL_BIT in io_uring/eventfd.c) is never taken back, later ones are
   * forgotten, and the thread sleeps on. True: nothing watches.
   */
  #unwatch(): boolean {
    if (this.#watching && !this.#cancelling) this.#ring.cancel(this.#slot, ASKED.READABLE)
    this.#cancelling = this.#watching
    return !this.#watching
  }

  completed(operation: number): void {
    if (operation === ASKED.TIME) this.#timing = false
    else this.#watching = this.#cancelling = false
    this.#isOver = true
  }

  settled(): void {}
  attend(): void {}

  /** A vigil lasts, another one follows, or something of the last one is still to complete. */
  get isAtWork(): boolean {
    return this.#goesOn || this.#watching || this.#timing
  }

  /** Gives its slot back; it must not be at work. */
  close(): void {
    assert(!this.isAtWork, 'who gives a slot back asks for nothing any more')
    this.#loop = -1
    this.#ring.leave(this.#slot)
  }
}

/** The epoll descriptor that watches another descriptor; -1: none is found. */
function loopWatching(fd: number): number {
  // tidy: once per thread, and where this cannot be read there are no vigils
  try {
    const own = '/proc/self/fd'
    const loops = fs.readdirSync(own).filter((name) => target(`${own}/${name}`) === 'anon_inode:[eventpoll]')
    const watching = new RegExp(`^tfd:\\s*${fd}\\s`, 'm')
    return Number(loops.find((name) => watching.test(fs.readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))) ?? -1)
  } catch {
    return -1
  }
}

/** What a descriptor is of; empty for one that is closed meanwhile. */
function target(link: string): string {
  // tidy: once per thread, and who has closed it meanwhile does not matter
  try {
    return fs.readlinkSync(link)
  } catch {
    return ''
  }
}
