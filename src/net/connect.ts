/** Opens stream connections on Node's bare handles: to an address or a socket file, from a local address if need be. */

import { getSystemErrorName } from 'node:util'
import { assert } from '../lib/assert.ts'
import { fromBinary } from '../lib/bytes.ts'
import { noteShortage } from './descriptors.ts'
import type { StreamHandle } from './handle-wire.ts'
import { transparentSocket } from './transparent.ts'
import type { SystemCall, WireFailure } from './wire-failure.ts'

/** Where a connection goes. */
export interface ConnectTarget {
  /** Numeric; unused with `path`. */
  readonly host: string
  readonly port: number
  /** A unix socket, or empty. */
  readonly path: string
}

/** Where it comes from. */
export interface LocalAddress {
  /** As it was written, for logs. */
  readonly name: string
  /** Numeric. */
  readonly host: string
  /** 0: any. */
  readonly port: number
  /** It need not be an address of this machine; who may not bind to such hears of that. */
  readonly transparent: boolean
}

/** Hears how connecting went. Called once, never from within `openHandle`. */
export interface ConnectOwner {
  onConnected(failure: WireFailure | undefined): void
}

interface ConnectRequest {
  oncomplete: (this: ConnectRequest, status: number) => void
  owner: ConnectOwner
  to: ConnectTarget
  from: LocalAddress | undefined
}

interface ConnectingHandle extends StreamHandle {
  open(fd: number): number
  connect(request: ConnectRequest, target: string, port?: number): number | undefined
  connect6(request: ConnectRequest, target: string, port: number): number
  bind(address: string, port: number): number
  bind6(address: string, port: number, flags: number): number
}

interface TcpBinding {
  TCP: new (type: number) => ConnectingHandle
  TCPConnectWrap: new () => ConnectRequest
  constants: { readonly SOCKET: number }
}

interface PipeBinding {
  Pipe: new (type: number) => ConnectingHandle
  PipeConnectWrap: new () => ConnectRequest
  constants: { readonly SOCKET: number }
}

const binding = (name: string): unknown => (process as unknown as { binding(name: string): unknown }).binding(name)
// The shapes of Node's own bindings, as node:net uses them.
const tcp = binding('tcp_wrap') as TcpBinding
const pipe = binding('pipe_wrap') as PipeBinding

/** No descriptor, or no memory for one: the handle makes its socket when it is bound or connected. */
const NO_SOCKET: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/** Makes a handle of an accepted descriptor, which belongs to it from then on. */
export function adoptHandle(fd: number, isInternet: boolean): StreamHandle {
  const handle = isInternet ? new tcp.TCP(tcp.constants.SOCKET) : new pipe.Pipe(pipe.constants.SOCKET)
  assert(handle.open(fd) === 0, 'a connection that was just accepted is a socket')
  return handle
}

/** Makes the handle in place of the system, for `viaduct explain`, which contacts nobody. */
type Connector = (to: ConnectTarget, owner: ConnectOwner) => StreamHandle

let connector: Connector | undefined

/** Has `by` connect instead of the system. */
export function connectBy(by: Connector | undefined): void {
  connector = by
}

/** Connections lead nowhere, so there is no TLS to be spoken on them. */
export function leadsNowhere(): boolean {
  return connector !== undefined
}

/** Begins to connect; the handle may be closed before that is done. */
export function openHandle(to: ConnectTarget, from: LocalAddress | undefined, owner: ConnectOwner): StreamHandle {
  if (connector !== undefined) return connector(to, owner)
  const handle = to.path === '' ? new tcp.TCP(tcp.constants.SOCKET) : new pipe.Pipe(pipe.constants.SOCKET)
  const request = to.path === '' ? new tcp.TCPConnectWrap() : new pipe.PipeConnectWrap()
  request.oncomplete = oncomplete
  request.owner = owner
  request.to = to
  request.from = from
  const unbound = from === undefined ? undefined : giveLocal(handle, from, to)
  if (unbound !== undefined) setImmediate(failed, owner, unbound)
  else {
    const error = connectTo(handle, request, to)
    if (error !== 0) setImmediate(failed, owner, connectFailure('connect', getSystemErrorName(error), nameOf(to)))
  }
  return handle
}

/** Gives the handle its own end. */
function giveLocal(handle: ConnectingHandle, from: LocalAddress, to: ConnectTarget): WireFailure | undefined {
  if (from.transparent && to.path === '') {
    // Handles cannot ask for that.
    const socket = transparentSocket(to.host)
    if (typeof socket !== 'number') return socket
    assert(handle.open(socket) === 0, 'what was just made is a socket')
  }
  const errno = bindTo(handle, from, to)
  return errno === '' ? undefined : connectFailure('bind', errno, from.name)
}

/** Returns an errno name, or empty. */
function bindTo(handle: ConnectingHandle, { host, port }: LocalAddress, to: ConnectTarget): string {
  const six = host.includes(':')
  // What bind() says when the socket is of another family; a handle would take its family from the address.
  if (to.path !== '' || (to.host.includes(':') && !six)) return 'EINVAL'
  if (six && !to.host.includes(':')) return 'EAFNOSUPPORT'
  const error = six ? handle.bind6(host, port, 0) : handle.bind(host, port)
  return error === 0 ? '' : getSystemErrorName(error)
}

function connectTo(handle: ConnectingHandle, request: ConnectRequest, { host, port, path }: ConnectTarget): number {
  if (path !== '') return handle.connect(request, fromBinary(path)) ?? 0
  return (host.includes(':') ? handle.connect6(request, host, port) : handle.connect(request, host, port)) ?? 0
}

function oncomplete(this: ConnectRequest, status: number): void {
  const { owner, to, from } = this
  if (status === 0) return owner.onConnected(undefined)
  const errno = getSystemErrorName(status)
  // libuv tells of an address in use when it connects, and of all that is wrong with a socket file later than it knows.
  if (errno === 'EADDRINUSE' && from !== undefined) return failed(owner, connectFailure('bind', errno, from.name))
  failed(owner, connectFailure('connect', errno, to.path === '' ? '' : nameOf(to)))
}

function failed(owner: ConnectOwner, failure: WireFailure): void {
  owner.onConnected(failure)
}

/** Makes a failure of what happened while connecting; whoever waits for descriptors hears of it. */
export function connectFailure(call: SystemCall, errno: string, on: string): WireFailure {
  noteShortage(errno)
  if (NO_SOCKET.has(errno)) return { kind: 'system', call: 'socket', errno, on: '' }
  return { kind: 'system', call, errno, on }
}

/** An address as logs have it. */
export function nameOf({ host, port, path }: ConnectTarget): string {
  if (path !== '') return `unix:${path}`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
