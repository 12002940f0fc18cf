/**
 * The listening sockets that the master holds. A TCP address has one SO_REUSEPORT socket per worker thread (threads
 * that share one take connections very unevenly); a unix address, and a UDP one without `reuseport`, has one for all. Sockets stay open
 * over reloads and over the death of the engine, so no connection attempt is ever refused in between.
 */

import fs from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getSystemErrorName } from 'node:util'
import { errnoText } from '../lib/errno.ts'
import { systemPath } from '../lib/file-status.ts'
import { adoptSocket, type BindAddress, type BoundSocket, bindSocket } from '../net/listener.ts'

const TRIES = 5
const RETRY_DELAY_MS = 500
const SOCKET_FILE_MODE = 0o666

/** One address to listen on. */
export interface Listen extends BindAddress {
  readonly key: string
  /** As the configuration says; TCP addresses are shared between sockets in any case. */
  readonly reuseport: boolean
}

/** Takes the lines that nginx would log while it opens sockets. */
export type Report = (level: 'emerg' | 'notice' | 'warn', message: string) => void

/** Who opened a socket that came from elsewhere: an older master of ours, nginx, or a service manager. */
export type Giver = 'viaduct' | 'nginx' | 'manager'

interface Held {
  readonly listen: Pick<Listen, 'key' | 'kind' | 'path'>
  readonly sockets: BoundSocket[]
  /** Nobody else may be bound to the address: these are all sockets that there are for it. */
  readonly complete: boolean
  /** Whoever opened a unix socket goes on to own its file. */
  readonly keepsFile: boolean
}

/** All listening sockets of one master. */
export class SocketBook {
  readonly #held = new Map<string, Held>()

  /**
   * Opens what `listens` lacks, trying again while an address is in use. False: something could not be opened, which
   * has been reported, and what was opened for it is closed again. `rival` finds the server that is known to run from
   * the same pid file: while it does, an address that it has is no news, and in the end it is named.
   */
  async open(
    listens: readonly Listen[],
    workers: number,
    report: Report,
    rival: () => string | undefined = () => undefined,
  ): Promise<boolean> {
    const opened: string[] = []
    let missing = listens.filter((listen) => this.#lacks(listen, workers))
    for (let tries = TRIES; tries > 0 && missing.length > 0; tries--) {
      const busy: Listen[] = []
      for (const listen of missing) {
        const isNew = !this.#held.has(listen.key)
        const errno = this.#bind(listen, workers)
        if (errno === 0) {
          if (isNew) opened.push(listen.key)
          continue
        }
        if (tries === TRIES || rival() === undefined) report('emerg', bindFailure(listen.key, errno))
        if (errno !== -constants.errno.EADDRINUSE) return this.#abandon(opened)
        busy.push(listen)
      }
      missing = busy
      if (missing.length === 0) break
      report('notice', 'try again to bind() after 500ms')
      await sleep(RETRY_DELAY_MS)
    }
    if (missing.length === 0) return true
    report('emerg', rival() ?? 'still could not bind()')
    return this.#abandon(opened)
  }

  /** Closes every socket that `listens` and `workers` do not ask for; socket files go unless another master uses them. */
  settle(listens: readonly Listen[], workers: number, report: Report, removeFiles: boolean): void {
    const wanted = new Map(listens.map((listen) => [listen.key, listen]))
    for (const [key, held] of this.#held) {
      const listen = wanted.get(key)
      if (listen === undefined) {
        const { kind, path } = held.listen
        if (kind === 'unix' && removeFiles && !held.keepsFile) report('warn', `deleting socket ${path}`)
        this.#drop(key, report, removeFiles)
      } else for (const socket of held.sockets.splice(slotCount(listen, workers))) socket.close()
    }
  }

  /** Closes everything; socket files are removed unless another master uses them. */
  closeAll(report: Report, removeFiles: boolean): void {
    for (const key of [...this.#held.keys()]) this.#drop(key, report, removeFiles)
  }

  /** Drops an address whose descriptor somebody else has closed. */
  forget(key: string): void {
    const held = this.#held.get(key)
    this.#held.delete(key)
    if (held?.listen.kind === 'unix' && !held.keepsFile) removeFile(held.listen.path, () => {})
  }

  /** Removes the socket files of addresses whose descriptors somebody else closes. */
  removeFiles(report: Report): void {
    for (const { listen, keepsFile } of this.#held.values()) {
      if (listen.kind === 'unix' && !keepsFile) removeFile(listen.path, report)
    }
  }

  /** Returns the socket that a worker slot accepts on. */
  get(key: string, slot: number): BoundSocket | undefined {
    const sockets = this.#held.get(key)?.sockets
    return sockets?.[sockets.length === 1 ? 0 : slot]
  }

  /** Lists every socket, for a new binary to inherit. */
  *entries(): Generator<{ key: string; kind: Listen['kind']; fd: number }> {
    for (const [key, { listen, sockets }] of this.#held) {
      for (const { fd } of sockets) yield { key, kind: listen.kind, fd }
    }
  }

  /** Takes over an inherited descriptor; returns nginx's error text when it is no socket. */
  adopt(key: string, kind: Listen['kind'], fd: number, from: Giver): string | undefined {
    const socket = adoptSocket(fd, kind)
    if (typeof socket === 'number') return adoptFailure(fd, getSystemErrorName(socket))
    const held = this.#held.get(key)
    if (held !== undefined) held.sockets.push(socket)
    else
      this.#held.set(key, {
        listen: { key, kind, path: key.replace(/^unix:/, '') },
        sockets: [socket],
        complete: from !== 'viaduct',
        keepsFile: from === 'manager',
      })
    return undefined
  }

  #lacks(listen: Listen, workers: number): boolean {
    const held = this.#held.get(listen.key)
    return held === undefined || (!held.complete && held.sockets.length < slotCount(listen, workers))
  }

  #bind(listen: Listen, workers: number): number {
    const held = this.#held.get(listen.key)
    const count = slotCount(listen, workers)
    if (held === undefined && !isShared(listen)) {
      // Sharing would hide that another server of the same user listens here.
      const errno = probe(listen)
      if (errno !== 0) return errno
    }
    const sockets = held?.sockets ?? []
    while (sockets.length < count) {
      const socket = bindSocket(listen, !isShared(listen))
      if (typeof socket === 'number') {
        if (held === undefined) for (const other of sockets) other.close()
        return socket
      }
      sockets.push(socket)
    }
    if (listen.kind === 'unix') fs.chmodSync(systemPath(listen.path), SOCKET_FILE_MODE)
    if (held === undefined) this.#held.set(listen.key, { listen, sockets, complete: false, keepsFile: false })
    return 0
  }

  #abandon(opened: readonly string[]): false {
    for (const key of opened) this.#drop(key, () => {})
    return false
  }

  #drop(key: string, report: Report, alsoFile = true): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    this.#held.delete(key)
    for (const socket of held.sockets) socket.close()
    if (held.listen.kind === 'unix' && alsoFile && !held.keepsFile) removeFile(held.listen.path, report)
  }
}

/** Returns nginx's text for an inherited descriptor that cannot be used. */
export function adoptFailure(fd: number, errno: string): string {
  return `getsockname() of the inherited socket #${fd} failed ${errnoText(errno)}`
}

/** Returns nginx's text for a bind() that failed with this negative errno. */
export function bindFailure(key: string, errno: number): string {
  const name = getSystemErrorName(errno)
  // Node says EACCES for a folder that is not there.
  const missing =
    name === 'EACCES' && key.startsWith('unix:') && !fs.existsSync(systemPath(path.dirname(key.slice('unix:'.length))))
  return `bind() to ${key} failed ${errnoText(missing ? 'ENOENT' : name)}`
}

/** Tries to bind and lets go again: what `-t` does. Returns a negative errno; an address in use is no error. */
export function tryBind(listen: Listen): number {
  if (listen.kind === 'unix' && fs.existsSync(systemPath(listen.path))) return 0
  const errno = probe(listen)
  if (errno === 0 && listen.kind === 'unix') fs.rmSync(systemPath(listen.path), { force: true })
  return errno === -constants.errno.EADDRINUSE ? 0 : errno
}

/** Somebody listens there already. */
export function isTaken(listen: Listen): boolean {
  return probe(listen) === -constants.errno.EADDRINUSE
}

function probe(listen: Listen): number {
  const socket = bindSocket(listen, false)
  if (typeof socket === 'number') return socket
  socket.close()
  return 0
}

function slotCount(listen: Listen, workers: number): number {
  return isShared(listen) ? 1 : workers
}

function isShared({ kind, reuseport }: Listen): boolean {
  return kind === 'unix' || (kind === 'udp' && !reuseport)
}

function removeFile(path: string, report: Report): void {
  try {
    fs.unlinkSync(systemPath(path))
  } catch (error) {
    report('emerg', `unlink() ${path} failed ${errnoText(error)}`)
  }
}
