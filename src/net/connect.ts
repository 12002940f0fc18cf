/** Opens stream connections on Node's bare handles: to an address or a socket file, from a local address if need be. */
import type { StreamHandle } from './handle-wire.ts'

/** Where a connection goes. */
export interface ConnectTarget {
  /** Numeric; unused with `path`. */
  readonly host: string
  readonly port: number
  /** A unix socket, or empty. */
  readonly path: string
}

/** Hears how connecting went: 0, or a negative errno. Called once, never from within `openHandle`. */
export interface ConnectOwner {
  onConnected(status: number): void
}

interface ConnectRequest {
  oncomplete: (this: ConnectRequest, status: number) => void
  owner: ConnectOwner
}

interface ConnectingHandle extends StreamHandle {
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

/** Begins to connect; the handle may be closed before that is done. `localAddress` is numeric, or empty. */
export function openHandle(target: ConnectTarget, localAddress: string, owner: ConnectOwner): StreamHandle {
  const handle = target.path === '' ? new tcp.TCP(tcp.constants.SOCKET) : new pipe.Pipe(pipe.constants.SOCKET)
  const request = target.path === '' ? new tcp.TCPConnectWrap() : new pipe.PipeConnectWrap()
  request.oncomplete = oncomplete
  request.owner = owner
  const error = bindTo(handle, localAddress) || connectTo(handle, request, target)
  if (error !== 0) setImmediate(() => owner.onConnected(error))
  return handle
}

function bindTo(handle: ConnectingHandle, address: string): number {
  if (address === '') return 0
  return address.includes(':') ? handle.bind6(address, 0, 0) : handle.bind(address, 0)
}

function connectTo(handle: ConnectingHandle, request: ConnectRequest, { host, port, path }: ConnectTarget): number {
  if (path !== '') return handle.connect(request, path) ?? 0
  return (host.includes(':') ? handle.connect6(request, host, port) : handle.connect(request, host, port)) ?? 0
}

function oncomplete(this: ConnectRequest, status: number): void {
  this.owner.onConnected(status)
}
