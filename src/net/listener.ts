/**
 * Listening sockets: how the master binds one, how a descriptor from elsewhere is taken over, and how a worker thread
 * accepts on one. Binding and accepting are apart because the socket outlives the thread that accepts on it: the master
 * holds it, each worker gets a descriptor of its own. What is accepted is passed on as Node's bare handle, without a
 * `net.Socket` around it, since the wire builds its own.
 */

import dgram from 'node:dgram'
import fs from 'node:fs'
import net from 'node:net'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import { fromBinary, toBinary } from '../lib/bytes.ts'
import { closeOpen, openPath, systemPath } from '../lib/file-status.ts'
import type { ListenSettings } from './listen-on.ts'
import type { StreamWire } from './stream-wire.ts'

const UV_TCP_IPV6ONLY = 1
const UV_TCP_REUSEPORT = 2
const UV_UDP_IPV6ONLY = 1
const UV_UDP_REUSEPORT = 64

/** What a socket is bound to. */
export interface BindAddress {
  readonly kind: 'tcp' | 'unix' | 'udp'
  /** Numeric address without brackets; unused for `unix`. */
  readonly host: string
  readonly port: number
  /** Socket file of `unix`. */
  readonly path: string
  readonly ipv6only: boolean
}

/** A bound socket as its holder sees it. The descriptor is valid until `close`; the handle may be sent over IPC. */
export interface BoundSocket {
  readonly fd: number
  close(): void
}

/** Node's handles, as far as they are used here: the same objects that its `cluster` module moves between processes. */
interface NativeHandle extends BoundSocket {
  getsockname?(out: object): number
}

const bindStream = (net as unknown as { _createServerHandle: BindStream })._createServerHandle
const bindDatagram = (dgram as unknown as { _createSocketHandle: BindDatagram })._createSocketHandle
type BindStream = (
  host: string | null,
  port: number | null,
  family: number | null,
  fd: number,
  flags: number,
) => NativeHandle | number
type BindDatagram = (
  host: string | null,
  port: number | null,
  type: 'udp4' | 'udp6',
  fd: number | undefined,
  flags: number,
) => NativeHandle | number

/**
 * Binds without listening; the result is the socket or a negative errno. With `reuseport`, sockets of the same user may
 * share the address, which is how every worker gets a queue of its own.
 */
export function bindSocket(address: BindAddress, reuseport: boolean): BoundSocket | number {
  const { host, port, ipv6only } = address
  const six = host.includes(':')
  if (address.kind === 'udp') {
    const flags = (six && ipv6only ? UV_UDP_IPV6ONLY : 0) | (reuseport ? UV_UDP_REUSEPORT : 0)
    return bindDatagram(host, port, six ? 'udp6' : 'udp4', undefined, flags)
  }
  if (address.kind === 'unix') return bindFile(address.path)
  const flags = (six && ipv6only ? UV_TCP_IPV6ONLY : 0) | (reuseport ? UV_TCP_REUSEPORT : 0)
  const bound = bindStream(host, port, six ? 6 : 4, -1, flags)
  if (typeof bound === 'number') return bound
  // The library keeps "address in use" for the first call after bind.
  const error = bound.getsockname?.({}) ?? 0
  if (error === 0) return bound
  bound.close()
  return error
}

/**
 * Node's library unlinks, on close, the name that it bound: it may not know the real one, or a master that ends after
 * an upgrade would take the socket away from its successor. So the socket is bound beside its place and moved there.
 */
function bindFile(path: string): BoundSocket | number {
  if (fs.existsSync(systemPath(path))) return -constants.errno.EADDRINUSE
  const name = fromBinary(path)
  if (toBinary(name) !== path) return bindBytes(path)
  const socket = bindStream(name + '~', -1, -1, -1, 0)
  if (typeof socket !== 'number') fs.renameSync(systemPath(path + '~'), systemPath(path))
  return socket
}

/** Node's library takes names as UTF-8 only: what is none is reached by an open folder, and has another name at first. */
function bindBytes(path: string): BoundSocket | number {
  const folder = openPath(dirname(path))
  if (typeof folder === 'string') return -((constants.errno as Readonly<Record<string, number>>)[folder] ?? 0)
  const name = `/proc/self/fd/${folder}/viaduct.${process.pid}~`
  const socket = bindStream(name, -1, -1, -1, 0)
  if (typeof socket !== 'number') fs.renameSync(name, systemPath(path))
  closeOpen(folder)
  return socket
}

/** Takes over a descriptor that another process bound; the result is the socket or a negative errno. */
export function adoptSocket(fd: number, kind: BindAddress['kind']): BoundSocket | number {
  return kind === 'udp' ? bindDatagram(null, null, 'udp4', fd, 0) : bindStream(null, null, null, fd, 0)
}

/** A connection that was just accepted; valid while `onAccept` runs, which calls one of the methods. */
export interface Incoming {
  readonly fd: number
  /** Takes it; `secure`: TLS will be laid over it. */
  take(secure: boolean): StreamWire
  /** Closes it. */
  refuse(): void
}

/** Receives what happens on a listener. */
export interface ListenerOwner {
  onAccept(incoming: Incoming): void
  /** accept() failed with this negative errno, for example because there are no descriptors left. */
  onAcceptError(errno: number): void
  /** setsockopt() failed with this negative errno. */
  onOptionFailed(name: string, value: number, errno: number): void
}

/** One accepting stream socket of one thread, with a descriptor of its own. */
export interface Listener {
  /** Goes on with other options and another backlog. Without `koffi` that is not possible: what cannot be set is told. */
  change(settings: ListenSettings): void
  /**
   * Stops accepting and closes this thread's descriptor; accepted connections live on. `letsIn`: so do those who wait in the
   * queue of the socket, which may end with the descriptor. Without `koffi` they are not.
   */
  close(letsIn: boolean): void
}
