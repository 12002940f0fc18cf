/** Accepts connections: on the ring of the thread where there is one, else by Node's handles. */
import net from 'node:net'
import { assert } from '../lib/assert.ts'
import { type Calls, calls, whyNoCalls } from '../sys/calls.ts'
import { adoptHandle } from './connect.ts'
import { speaksTlsOnRing, threadRing } from './engine.ts'
import { HandleWire, type StreamHandle } from './handle-wire.ts'
import type { Incoming, Listener, ListenerOwner } from './listener.ts'
import { ASKED, MORE, type Ring, type RingUser } from './ring.ts'
import { RingTlsServerWire } from './ring-tls-server-wire.ts'
import { RingWire } from './ring-wire.ts'
import type { StreamWire } from './stream-wire.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from './timer-wheel.ts'

const EAGAIN = -11
const ECANCELED = -125
const ECONNABORTED = -103
const ENOSYS = -38
/** Accepting that has failed is tried again after this (ngx_event_accept has accept_mutex_delay for it). */
const AGAIN_MS = 500

/** Where the kernel has its options: level and number. */
const OPTIONS = {
  SO_SNDBUF: [1, 7],
  SO_RCVBUF: [1, 8],
  TCP_KEEPINTVL: [6, 5],
  TCP_KEEPCNT: [6, 6],
  TCP_DEFER_ACCEPT: [6, 9],
  TCP_FASTOPEN: [6, 23],
} as const

/** A socket with it has others beside it, where one without it has others who accept on it. */
const SOL_SOCKET = 1
const SO_REUSEPORT = 15

/** An option of a socket, with its value. */
export interface SocketOption {
  readonly name: keyof typeof OPTIONS
  readonly value: number
}

/** What is set on a socket that a thread accepts on. */
export interface ListenSettings {
  readonly backlog: number
  readonly socketOptions: readonly SocketOption[]
}

/** A bound socket that a thread accepts on. */
interface ListenTarget {
  /** Belongs to the listener. */
  readonly fd: number
  /** It is of the internet, and not a unix socket. */
  readonly isInternet: boolean
  readonly settings: ListenSettings
}

/** Begins to accept. */
export function listenOn(target: ListenTarget, owner: ListenerOwner): Listener {
  const ring = threadRing()
  if (ring !== undefined) return new RingListener(ring, target, owner)
  return new HandleListener(target, owner)
}

/** System calls, where they can be made. */
function systemCalls(): Calls | undefined {
  const system = whyNoCalls() === '' ? calls() : ''
  return typeof system === 'string' ? undefined : system
}

/** Sets all options; what one lets go of stays as it is, but that connections wait for what they send (as in nginx). */
function setOptions(fd: number, { socketOptions }: ListenSettings, before: ListenSettings, owner: ListenerOwner): void {
  const system = systemCalls()
  const set = ({ name, value }: SocketOption): void => {
    const [level, option] = OPTIONS[name]
    const result =
      system === undefined ? ENOSYS : system.setOption(fd, level, option, Buffer.from(Int32Array.of(value).buffer))
    if (result < 0) owner.onOptionFailed(name, value, result)
  }
  for (const option of socketOptions) set(option)
  for (const { name } of before.socketOptions) {
    if (name === 'TCP_DEFER_ACCEPT' && !socketOptions.some((option) => option.name === name)) set({ name, value: 0 })
  }
}

/** Closes a socket that this thread was given and does not listen on; Node's own call warns of what it has not opened. */
export function closeUnused(fd: number): void {
  adoptHandle(fd, false).close()
}

/**
 * Accepts on a socket of its own by one operation that goes on until it is cancelled. For that the kernel tells of a
 * connection one only of those who ask. Where others accept on the socket, too, all are told, and one connection is taken
 * at a time: so nobody waits for a thread that is busy, or that dies, while others have nothing to do.
 */
class RingListener implements Listener, Incoming, RingUser, TimerOwner {
  readonly #ring: Ring
  readonly #target: ListenTarget
  #settings: ListenSettings
  readonly #owner: ListenerOwner
  readonly #slot: number
  readonly #own: boolean
  readonly #timer = new Timer(this)
  readonly isPatient = true
  #accepting = false
  #closed = false
  #left = false
  /** The connection that was just accepted. */
  fd = -1

  constructor(ring: Ring, target: ListenTarget, owner: ListenerOwner) {
    this.#ring = ring
    this.#target = target
    this.#settings = target.settings
    this.#owner = owner
    this.#slot = ring.enter(this)
    ring.own(target.fd)
    this.#own = ring.calls.isOn(target.fd, SOL_SOCKET, SO_REUSEPORT)
    this.change(target.settings)
    this.#accept()
  }

  change(settings: ListenSettings): void {
    setOptions(this.#target.fd, settings, this.#settings, this.#owner)
    this.#settings = settings
    this.#ring.calls.listen(this.#target.fd, settings.backlog)
  }

  #accept(): void {
    this.#accepting = true
    if (this.#own) this.#ring.accept(this.#slot, this.#target.fd)
    else this.#ring.whenReadable(this.#slot, this.#target.fd)
  }

  completed(operation: number, result: number, flags: number): void {
    if ((flags & MORE) === 0) this.#accepting = false
    this.#heard(operation === ASKED.READABLE && result >= 0 ? this.#ring.calls.accept(this.#target.fd) : result)
  }

  /** A connection, or a negative errno. */
  #heard(result: number): void {
    if (result >= 0) this.#accepted(result)
    else if (result !== ECANCELED && result !== EAGAIN && !this.#closed) this.#owner.onAcceptError(result)
    if (this.#accepting) return
    if (this.#closed) this.#leave()
    // Another one was first, or the client has gone again.
    else if (result >= 0 || result === EAGAIN || result === ECONNABORTED) this.#accept()
    else setTimer(this.#timer, AGAIN_MS)
  }

  #accepted(fd: number): void {
    this.fd = fd
    // It came before the socket was closed here: whoever closes it has been asked to let everybody in.
    this.#owner.onAccept(this)
    this.fd = -1
  }

  onTimeout(): void {
    if (!this.#accepting && !this.#closed) this.#accept()
  }

  take(secure: boolean): StreamWire {
    const { isInternet } = this.#target
    if (!secure) return new RingWire(this.#ring, this.fd, isInternet)
    if (speaksTlsOnRing()) return new RingTlsServerWire(this.#ring, this.fd, isInternet)
    return new HandleWire(adoptHandle(this.fd, isInternet))
  }

  refuse(): void {
    this.#ring.calls.close(this.fd)
  }

  close(letsIn: boolean): void {
    if (this.#closed) return
    // Who has been accepted already is let in.
    this.#ring.drain()
    if (this.#closed) return
    this.#closed = true
    if (this.#accepting) {
      this.#ring.cancel(this.#slot, this.#own ? ASKED.ACCEPT : ASKED.READABLE)
      this.#ring.submit()
    } else this.#leave()
    // The kernel has told of a connection perhaps nobody but who was cancelled before it came to look: another one does not
    // know of it until the next one comes.
    if (letsIn) letIn(this.#ring.calls, this.#target.fd, this.#settings, (fd) => this.#accepted(fd))
    // At once: who comes in between is thrown out.
    this.#ring.disown(this.#target.fd)
    this.#ring.calls.close(this.#target.fd)
  }

  #leave(): void {
    if (this.#left) return
    this.#left = true
    cancelTimer(this.#timer)
    this.#ring.leave(this.#slot)
  }

  settled(): void {}
  attend(): void {}
}

interface NativeServer {
  onconnection: (status: number, client: StreamHandle | undefined) => void
}

/** Accepts by Node's handles. */
class HandleListener implements Listener, Incoming {
  readonly #server: net.Server
  readonly #target: ListenTarget
  #settings: ListenSettings
  readonly #owner: ListenerOwner
  #handle: StreamHandle | undefined

  constructor(target: ListenTarget, owner: ListenerOwner) {
    this.#target = target
    this.#settings = target.settings
    this.#owner = owner
    setOptions(target.fd, target.settings, target.settings, owner)
    this.#server = net.createServer()
    // Whoever waits in the queue of a socket that cannot be listened on waits there for another one.
    this.#server.on('error', () => {})
    // With a descriptor it is the second argument that counts.
    this.#server.listen({ fd: target.fd }, target.settings.backlog as unknown as () => void)
    const native = (this.#server as unknown as { _handle: NativeServer | null })._handle
    assert(native !== null, 'a bound descriptor can be listened on')
    native.onconnection = (status, client) => {
      if (status !== 0 || client === undefined) return owner.onAcceptError(status)
      this.#accepted(client)
    }
  }

  change(settings: ListenSettings): void {
    setOptions(this.#target.fd, settings, this.#settings, this.#owner)
    this.#settings = settings
    systemCalls()?.listen(this.#target.fd, settings.backlog)
  }

  #accepted(client: StreamHandle): void {
    this.#handle = client
    this.#owner.onAccept(this)
  }

  get fd(): number {
    return this.#handle!.fd
  }

  take(): StreamWire {
    const handle = this.#handle!
    this.#handle = undefined
    return new HandleWire(handle)
  }

  refuse(): void {
    this.#handle!.close()
    this.#handle = undefined
  }

  close(letsIn: boolean): void {
    const { fd, isInternet } = this.#target
    const system = letsIn && this.#server.listening ? systemCalls() : undefined
    if (system !== undefined)
      letIn(system, fd, this.#settings, (client) => this.#accepted(adoptHandle(client, isInternet)))
    this.#server.close()
  }
}

/** Accepts all who wait in the queue of a socket that is about to be closed: that may be the end of it. */
function letIn(calls: Calls, fd: number, { backlog }: ListenSettings, accepted: (client: number) => void): void {
  for (let i = 0; i < backlog; i++) {
    const client = calls.accept(fd)
    if (client >= 0) accepted(client)
    else if (client !== ECONNABORTED) break
  }
}
