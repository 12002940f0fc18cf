/** Opens connections to back ends: on the ring of the thread where there is one, else on Node's handles. */
import { getSystemErrorName } from 'node:util'
import { SOCK_STREAM_CLOEXEC_NONBLOCK } from '../sys/calls.ts'
import { familyIn, internetAddress, unixAddress } from '../sys/socket-address.ts'
import {
  type ConnectOwner,
  type ConnectTarget,
  connectFailure,
  type LocalAddress,
  nameOf,
  openHandle,
} from './connect.ts'
import { speaksTlsOnRing, threadRing } from './engine.ts'
import { HandleWire } from './handle-wire.ts'
import type { Ring } from './ring.ts'
import { RingTlsClientWire } from './ring-tls-client-wire.ts'
import { RingWire } from './ring-wire.ts'
import type { StreamWire } from './stream-wire.ts'
import type { TlsClient, TlsTarget } from './tls-client.ts'
import { TlsClientWire } from './tls-client-wire.ts'
import { makeTransparent } from './transparent.ts'
import type { WireFailure } from './wire-failure.ts'

const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SOL_IP = 0
const IP_BIND_ADDRESS_NO_PORT = 24

/** What connect() says later than it is called; all else it says at once. */
const LATER: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN'])

/** How a connection is made. */
interface WireOptions {
  /** Where it comes from; undefined: what the system chooses. */
  readonly from?: LocalAddress | undefined
  /** Sizes of the kernel's buffers, which handles cannot set; 0: the system's. */
  readonly sndbuf?: number
  readonly rcvbuf?: number
}

/** How TLS is spoken on a connection, and whose sessions may be used again. */
interface Security {
  readonly target: TlsTarget
  readonly peer: string
}

/** Begins to connect; the wire may be closed before that is done. */
export function openWire(to: ConnectTarget, options: WireOptions, owner: ConnectOwner): StreamWire {
  const ring = threadRing()
  const way = ring === undefined ? undefined : wayOnRing(ring, to, options)
  if (way === undefined) return new HandleWire(openHandle(to, options.from, owner))
  const wire = new RingWire(way.ring, way.fd, to.path === '')
  begin(wire, way, owner)
  return wire
}

/** The same for a wire that speaks TLS once it is connected and told to. */
export function openTlsWire(to: ConnectTarget, options: WireOptions, tls: Security, owner: ConnectOwner): TlsClient {
  const ring = speaksTlsOnRing() ? threadRing() : undefined
  const way = ring === undefined ? undefined : wayOnRing(ring, to, options)
  if (way === undefined) return new TlsClientWire(openHandle(to, options.from, owner), tls.target, tls.peer)
  const wire = new RingTlsClientWire(way.ring, way.fd, to.path === '', tls)
  begin(wire, way, owner)
  return wire
}

interface Way {
  readonly ring: Ring
  readonly fd: number
  readonly to: ConnectTarget
  readonly from: LocalAddress | undefined
  readonly address: Buffer
  readonly local: Buffer | undefined
}

/** Makes a socket for a connection on the ring; undefined: it is left to Node. */
function wayOnRing(ring: Ring, to: ConnectTarget, { from, sndbuf = 0, rcvbuf = 0 }: WireOptions): Way | undefined {
  const address = to.path === '' ? internetAddress(to.host, to.port) : unixAddress(to.path)
  const local = from === undefined || from.host === '' ? undefined : internetAddress(from.host, from.port)
  // What cannot be said in the kernel's form: an address with a zone, a path that is too long.
  if (address === undefined || (from !== undefined && local === undefined)) return undefined
  const { calls } = ring
  const fd = calls.socket(familyIn(address), SOCK_STREAM_CLOEXEC_NONBLOCK)
  // Node has no descriptor either: it says so in the usual way.
  if (fd < 0) return undefined
  if (rcvbuf > 0) calls.setOption(fd, SOL_SOCKET, SO_RCVBUF, int(rcvbuf))
  if (sndbuf > 0) calls.setOption(fd, SOL_SOCKET, SO_SNDBUF, int(sndbuf))
  return { ring, fd, to, from, address, local }
}

function begin(wire: RingWire, way: Way, owner: ConnectOwner): void {
  const { ring, fd, to, address } = way
  const unbound = giveLocal(way)
  if (unbound !== undefined) setImmediate(tell, owner, unbound)
  // A connect() to a socket file does not wait, but for room in its queue.
  else if (to.path !== '') setImmediate(told, new Connecting(way, owner), ring.calls.connect(fd, address))
  else wire.connect(address, new Connecting(way, owner))
}

/** Gives the socket its own end. */
function giveLocal({ ring, fd, to, from, local }: Way): WireFailure | undefined {
  if (from === undefined || local === undefined) return undefined
  const opaque = from.transparent && to.path === '' ? makeTransparent(ring.calls, fd, to.host) : undefined
  if (opaque !== undefined) return opaque
  const result = bindTo(ring, fd, local, from)
  return result === 0 ? undefined : connectFailure('bind', getSystemErrorName(result), from.name)
}

function int(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer)
}

/** Returns 0 or a negative errno. */
function bindTo({ calls }: Ring, fd: number, local: Buffer, from: LocalAddress): number {
  // Connections to different addresses may share a port; one that is named may be somebody's who allows that, too.
  if (from.port === 0) calls.turnOn(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT)
  else calls.turnOn(fd, SOL_SOCKET, SO_REUSEADDR)
  return calls.bind(fd, local)
}

/** A connection on its way. */
class Connecting {
  readonly #way: Way
  readonly #owner: ConnectOwner

  constructor(way: Way, owner: ConnectOwner) {
    this.#way = way
    this.#owner = owner
  }

  onRingConnected(result: number): void {
    if (result === 0) return this.#owner.onConnected(undefined)
    const { to, from } = this.#way
    const errno = getSystemErrorName(result)
    const local = errno === 'EADDRINUSE' || errno === 'EADDRNOTAVAIL' ? from : undefined
    if (local !== undefined) tell(this.#owner, connectFailure('bind', errno, local.name))
    else tell(this.#owner, connectFailure('connect', errno, to.path === '' && LATER.has(errno) ? '' : nameOf(to)))
  }
}

function told(connecting: Connecting, result: number): void {
  connecting.onRingConnected(result)
}

function tell(owner: ConnectOwner, failure: WireFailure): void {
  owner.onConnected(failure)
}
