/** Opens connections to back ends: on the ring of the thread where there is one, else on Node's handles. */
import { getSystemErrorName } from 'node:util'
import { familyIn, internetAddress, unixAddress } from '../sys/socket-address.ts'
import {
  type ConnectOwner,
  type ConnectTarget,
  connectFailure,
  type LocalAddress,
  nameOf,
  openHandle,
} from './connect.ts'
import { threadRing } from './engine.ts'
import { HandleWire } from './handle-wire.ts'
import type { Ring } from './ring.ts'
import { RingWire } from './ring-wire.ts'
import type { StreamWire } from './stream-wire.ts'

const SOCK_STREAM_CLOEXEC_NONBLOCK = 0x80801
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SOL_IP = 0
const IP_BIND_ADDRESS_NO_PORT = 24
const ON: Uint8Array = Uint8Array.of(1, 0, 0, 0)

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

/** Begins to connect; the wire may be closed before that is done. */
export function openWire(to: ConnectTarget, options: WireOptions, owner: ConnectOwner): StreamWire {
  const { from } = options
  const ring = threadRing()
  if (ring === undefined) return new HandleWire(openHandle(to, from, owner))
  const address = to.path === '' ? internetAddress(to.host, to.port) : unixAddress(to.path)
  const local = from === undefined || from.host === '' ? undefined : internetAddress(from.host, from.port)
  // What cannot be said in the kernel's form is left to Node: an address with a zone, a path that is too long.
  if (address === undefined || (from !== undefined && local === undefined)) {
    return new HandleWire(openHandle(to, from, owner))
  }
  return openOnRing(ring, { to, from, address, local }, options, owner)
}

interface Way {
  readonly to: ConnectTarget
  readonly from: LocalAddress | undefined
  readonly address: Buffer
  readonly local: Buffer | undefined
}

function openOnRing(ring: Ring, way: Way, { sndbuf = 0, rcvbuf = 0 }: WireOptions, owner: ConnectOwner): StreamWire {
  const { to, from, address, local } = way
  const { calls } = ring
  const isFile = to.path !== ''
  // A connect() to a socket file does not wait, but for room in its queue.
  const fd = calls.socket(familyIn(address), SOCK_STREAM_CLOEXEC_NONBLOCK)
  // Node has no descriptor either: it says so in the usual way.
  if (fd < 0) return new HandleWire(openHandle(to, from, owner))
  if (rcvbuf > 0) calls.setOption(fd, SOL_SOCKET, SO_RCVBUF, int(rcvbuf))
  if (sndbuf > 0) calls.setOption(fd, SOL_SOCKET, SO_SNDBUF, int(sndbuf))
  const wire = new RingWire(ring, fd, !isFile)
  const unbound = local === undefined ? 0 : bindTo(ring, fd, local, from!)
  if (unbound < 0) setImmediate(tell, owner, connectFailure('bind', getSystemErrorName(unbound), from!.name))
  else if (isFile) setImmediate(told, new Connecting(way, owner), calls.connect(fd, address))
  else wire.connect(address, new Connecting(way, owner))
  return wire
}

function int(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer)
}

/** Returns 0 or a negative errno. */
function bindTo({ calls }: Ring, fd: number, local: Buffer, from: LocalAddress): number {
  // Connections to different addresses may share a port; one that is named may be somebody's who allows that, too.
  if (from.port === 0) calls.setOption(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, ON)
  else calls.setOption(fd, SOL_SOCKET, SO_REUSEADDR, ON)
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

function tell(owner: ConnectOwner, failure: ReturnType<typeof connectFailure>): void {
  owner.onConnected(failure)
}
