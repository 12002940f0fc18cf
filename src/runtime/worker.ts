/**
 * One worker's serving side: the current program, its listeners and its connections. A reload swaps the virtual servers
 * under the listeners; connections, pools and requests under way stay.
 */
import { clearTimeout, setTimeout } from 'node:timers'
import { getSystemErrorName } from 'node:util'
import { BroadcastChannel } from 'node:worker_threads'
import { acceptClient } from '../http/accept/front.ts'
import type { Client } from '../http/request/client.ts'
import type { ClientConnection } from '../http/server/client-connection.ts'
import { connectionCounters } from '../http/server/connection-counters.ts'
import { HttpListener, type VirtualServers } from '../http/server/listener.ts'
import { reusableConnections } from '../http/server/reusable.ts'
import { type Cidr, findCidr } from '../lib/cidr.ts'
import { clock } from '../lib/clock.ts'
import { errnoText } from '../lib/errno.ts'
import { parseIp } from '../lib/ip.ts'
import { ALERT, CRIT, ERROR, type ErrorLog, NULL_LOG } from '../log/error-log.ts'
import { debugAddresses } from '../modules/core/events.ts'
import { mainDirectives } from '../modules/core/main.ts'
import { descriptorsMax, hasDescriptors, watchShortage } from '../net/descriptors.ts'
import { beginEvent, flushWires } from '../net/flush.ts'
import { closeUnused, listenOn } from '../net/listen-on.ts'
import type { Incoming, Listener } from '../net/listener.ts'
import { VERIFY_OFF } from '../tls/server.ts'
import type { EndpointPlan } from './endpoints.ts'
import type { Program } from './program.ts'

/** What a worker gets from the thread that it runs in. */
export interface WorkerEnv {
  /** Asks for the sockets of addresses once more; undefined where accepting cannot rest. */
  readonly wantSockets: ((keys: readonly string[]) => void) | undefined
}

/** What a configuration says about the worker itself. */
export interface WorkerSettings {
  readonly log: ErrorLog
  /** `worker_connections`: accepting rests while that many are open. */
  readonly connectionsMax: number
}

interface Seat {
  /** Undefined while accepting rests. */
  socket: Listener | undefined
  readonly listener: HttpListener
  endpoint: EndpointPlan
}

/** nginx's accept_mutex_delay: when to try again after there was no descriptor left. */
const REST_MS = 500
/** Longer than an answer takes on a busy machine: what comes twice is closed. */
const ASK_AGAIN_MS = 2000
/** How long those wait at the end who still have something to send. */
const LEAVE_MS = 2000

/** Serves a program; `install` swaps to another one without closing anything. */
export class WorkerRuntime {
  readonly #env: WorkerEnv
  readonly #seats = new Map<string, Seat>()
  /** Listeners that no longer accept but still have connections. */
  readonly #leaving = new Set<HttpListener>()
  #program: Program | undefined
  #settings: WorkerSettings = { log: NULL_LOG, connectionsMax: 0 }
  /** Clients that everything is logged about. */
  #debugged: readonly Cidr[] = []
  #done: (() => void) | undefined
  /** Connections were closed without regard to what was under way. */
  #forced = false
  /** A new descriptor of this number or more is one of the last. */
  #descriptorsMax = Number.POSITIVE_INFINITY
  /** Threads with the same descriptors. */
  #workers = 1
  #rest: NodeJS.Timeout | undefined
  /** Threads share their descriptors: who finds none tells the others, whose next client Node's library might close. */
  #others: BroadcastChannel | undefined
  /** Sockets have been asked for, and have not come yet. */
  #asking: NodeJS.Timeout | undefined

  constructor(env: WorkerEnv) {
    this.#env = env
    watchShortage((errno) => this.#restAccepting(errno))
    if (env.wantSockets === undefined) return
    this.#others = new BroadcastChannel('descriptors')
    this.#others.onmessage = () => this.#restNow()
    this.#others.unref()
  }

  install(program: Program, settings: WorkerSettings): void {
    const before = this.#program
    this.#program = program
    this.#settings = settings
    this.#debugged = debugAddresses(program.config)
    this.#workers = program.config.main.resolve(mainDirectives).worker_processes
    if (this.#env.wantSockets !== undefined) this.#descriptorsMax = descriptorsMax()
    clock.update()
    beginEvent()
    for (const endpoint of program.http?.endpoints ?? []) {
      const seat = this.#seats.get(endpoint.spec.key)
      if (seat !== undefined) this.#change(seat, endpoint)
    }
    this.#makeRoom()
    flushWires()
    const builder = program.http?.builder
    if (before?.http !== undefined) builder?.inherit(before.http.builder)
    builder?.start()
    for (const run of before?.http?.builder.exitHooks ?? []) run()
  }

  /** Goes on at an address with other servers and other settings of its socket. */
  #change(seat: Seat, endpoint: EndpointPlan): void {
    const { listener } = seat
    const leaving: ClientConnection[] = []
    for (const connection of listener.connections.all()) {
      const { client } = connection
      if (mustLeave(client, listener.serversFor(client), HttpListener.choose(endpoint, client)))
        leaving.push(connection)
    }
    listener.servers = endpoint.servers
    listener.byAddress = endpoint.byAddress
    seat.endpoint = endpoint
    seat.socket?.change(endpoint.spec)
    for (const connection of leaving) {
      connection.client.leaving = true
      connection.shutDown()
    }
    // They would keep the servers of before, and go on with their limits and time-outs.
    for (const connection of listener.connections.all()) {
      const { client } = connection
      connection.renew?.()
      if (client.sniName !== '') client.sniPlace = listener.serversFor(client).placeByName(client.sniName)
    }
    if (leaving.length > 0) this.#cutOffLater(() => leaving)
  }

  /** Fewer connections may be open than before: as many of those that wait for a request go. */
  #makeRoom(): void {
    const { connectionsMax, log } = this.#settings
    for (let n = reusableConnections.count; n > 0 && connectionCounters.own > connectionsMax; n--) {
      reusableConnections.drain(connectionsMax, ownConnections, log)
    }
  }

  /** `worker_shutdown_timeout` for connections that do not follow a reload. */
  #cutOffLater(connections: () => Iterable<ClientConnection>): void {
    const timeoutMs = this.#program?.config.main.resolve(mainDirectives).worker_shutdown_timeout ?? 0
    if (timeoutMs === 0) return
    const end = (): void => {
      clock.update()
      beginEvent()
      for (const connection of connections()) cutOff(connection)
      flushWires()
    }
    setTimeout(end, timeoutMs).unref()
  }

  listen(key: string, fd: number): void {
    const endpoint = this.#program?.http?.endpoints.find((e) => e.spec.key === key)
    if (endpoint === undefined) {
      // The address is gone since the socket was asked for.
      closeUnused(fd)
      return
    }
    const listener = this.#seats.get(key)?.listener ?? this.#httpListener(endpoint)
    const seat: Seat = { socket: undefined, listener, endpoint }
    this.#seats.set(key, seat)
    if (this.#rest !== undefined) {
      // It was asked for before accepting rested again.
      closeUnused(fd)
      return
    }
    seat.socket = listenOn(
      { fd, isInternet: endpoint.spec.kind === 'tcp', settings: endpoint.spec },
      {
        onOptionFailed: (name, value, errno) => {
          const text = errnoText(getSystemErrorName(errno))
          this.#settings.log.write(ALERT, `setsockopt(${name}, ${value}) ${key} failed ${text}, ignored`)
        },
        onAccept: (incoming) => this.#accept(seat, incoming),
        onAcceptError: (errno) => this.#acceptFailed(errno),
      },
    )
  }

  /** True while the address has no socket because accepting rests. */
  isResting(key: string): boolean {
    return this.#seats.has(key) && this.#seats.get(key)!.socket === undefined
  }

  /**
   * Accepts no more until there are descriptors again: who comes waits in the queue of the socket, which the master holds.
   * Only closing our end of it makes Node's library leave the queue alone.
   */
  #restAccepting(errno: string): void {
    if (this.#rest !== undefined || this.#seats.size === 0) return
    this.#settings.log.write(CRIT, `accept4() failed ${errnoText(errno)}`)
    if (this.#others === undefined) return
    this.#others.postMessage(errno)
    this.#restNow()
  }

  #restNow(): void {
    if (this.#rest !== undefined) return
    for (const seat of this.#seats.values()) {
      seat.socket?.close(false)
      seat.socket = undefined
    }
    this.#rest = setTimeout(() => this.#tryAccepting(), REST_MS)
  }

  #acceptFailed(status: number): void {
    const errno = getSystemErrorName(status)
    clock.update()
    if (errno === 'EMFILE' || errno === 'ENFILE') this.#restAccepting(errno)
    // Clients may go again while they wait.
    else this.#settings.log.write(errno === 'ECONNABORTED' ? ERROR : ALERT, `accept4() failed ${errnoText(errno)}`)
  }

  #tryAccepting(): void {
    clearTimeout(this.#rest)
    clearTimeout(this.#asking)
    this.#rest = undefined
    const resting = [...this.#seats.keys()].filter((key) => this.isResting(key))
    if (resting.length === 0) return
    this.#descriptorsMax = descriptorsMax()
    const again = (): void => this.#tryAccepting()
    // Others may go on at the same time, and what they accept on are descriptors, too.
    if (!hasDescriptors(this.#workers * resting.length, this.#descriptorsMax)) this.#restNow()
    else {
      this.#env.wantSockets?.(resting)
      // What is sent to a process without descriptors may be lost on the way: asked for until it has come.
      this.#asking = setTimeout(again, ASK_AGAIN_MS)
    }
  }

  #httpListener({ spec, servers, byAddress }: EndpointPlan): HttpListener {
    const wildcard = spec.host === '0.0.0.0' || spec.host === '::'
    const end = { address: wildcard ? '' : spec.host, port: spec.port, unixPath: spec.path }
    const listener = new HttpListener(spec.key, end, servers)
    listener.byAddress = byAddress
    listener.onEmpty = () => this.#emptied(listener)
    return listener
  }

  #accept({ listener, endpoint: { soKeepalive } }: Seat, incoming: Incoming): void {
    const { connectionsMax, log } = this.#settings
    clock.update()
    beginEvent()
    if (incoming.fd >= this.#descriptorsMax) this.#restAccepting('EMFILE')
    connectionCounters.accept()
    reusableConnections.drain(connectionsMax, ownConnections, log)
    if (connectionCounters.own >= connectionsMax) {
      log.write(ALERT, `${connectionsMax} worker_connections are not enough`)
      incoming.refuse()
      flushWires()
      return
    }
    connectionCounters.handle()
    const wire = incoming.take(listener.secure)
    if (soKeepalive !== undefined && soKeepalive !== 'off') {
      wire.setKeepAlive(soKeepalive === 'on' ? 0 : soKeepalive.idleSeconds)
    }
    const connection = acceptClient(wire, listener)
    if (this.#debugged.length > 0) this.#debug(connection.client)
    // It was accepted before the socket was closed, and is heard of now.
    if (this.#seats.get(listener.key)?.listener !== listener) this.#leaving.add(listener)
    connection.start()
    flushWires()
  }

  #debug(client: Client): void {
    // The empty address stands for UNIX sockets.
    client.debug = findCidr(this.#debugged, parseIp(client.address) ?? '') >= 0
  }

  /** Accepts no more at an address; whoever waits there already is let in, unless this is a stop without `graceful`. */
  unlisten(key: string, graceful = true): void {
    const seat = this.#seats.get(key)
    if (seat === undefined) return
    this.#seats.delete(key)
    seat.socket?.close(graceful)
    const { listener } = seat
    if (listener.connections.count === 0) return
    this.#leaving.add(listener)
    listener.shutDown()
    this.#cutOffLater(() => listener.connections.all())
  }

  reopenLogs(): void {
    for (const run of this.#program?.http?.builder.reopenHooks ?? []) run()
  }

  /** Accepts no more; calls `done` once when the last connection is gone. Without `graceful` connections close now. */
  stop(graceful: boolean, done: () => void): void {
    clearTimeout(this.#rest)
    clearTimeout(this.#asking)
    if (!graceful) return this.#leave(false, done)
    for (const run of this.#program?.http?.builder.quitHooks ?? []) run()
    for (const { listener } of this.#seats.values()) listener.closing = true
    // Who waits in the queue of a socket that is closed is thrown out of it: let them in first, in one turn of the loop.
    setImmediate(() => setImmediate(() => this.#leave(true, done)))
  }

  #leave(graceful: boolean, done: () => void): void {
    for (const key of [...this.#seats.keys()]) this.unlisten(key, graceful)
    // Not before all are told: the first may have nobody left at once.
    this.#done = done
    if (!graceful) this.#closeAll(false)
    this.#checkDone()
  }

  /** A graceful stop has taken too long: ends what is under way, and the logs say so. */
  cutOff(): void {
    clock.update()
    beginEvent()
    this.#closeAll(true)
    flushWires()
  }

  #closeAll(overdue: boolean): void {
    this.#forced = true
    for (const listener of [...this.#leaving]) {
      for (const connection of listener.connections.all()) {
        if (overdue) cutOff(connection)
        else end(connection)
      }
    }
  }

  #emptied(listener: HttpListener): void {
    this.#leaving.delete(listener)
    this.#checkDone()
  }

  /** Whoever is counted when nobody is there any more was forgotten somewhere. */
  #checkCounts(): void {
    const left = connectionCounters.ownUnderWay
    if (left !== 0) this.#settings.log.write(ALERT, `${left} connections or requests are counted and none is open`)
  }

  #checkDone(): void {
    if (this.#leaving.size > 0) return
    const done = this.#done
    if (done === undefined) return
    this.#done = undefined
    if (!this.#forced) this.#checkCounts()
    const builder = this.#program?.http?.builder
    const end = () => {
      for (const run of builder?.exitHooks ?? []) run()
      done()
    }
    if (this.#forced || builder === undefined || builder.leaveHooks.length === 0) end()
    else leaveBy(builder.leaveHooks, end)
  }
}

/**
 * A connection follows a reload unless it is none that its address would accept now, or its client was let in for a
 * certificate: what is trusted, or revoked, may have changed.
 */
function mustLeave({ secure, sniServer }: Client, before: VirtualServers, after: VirtualServers): boolean {
  if (before.ssl !== after.ssl || before.proxyProtocol !== after.proxyProtocol) return true
  return secure && (sniServer ?? before.defaultServer).ssl.verify !== VERIFY_OFF
}

function cutOff(connection: ClientConnection): void {
  connection.cutOff()
  end(connection)
}

function end(connection: ClientConnection): void {
  connection.close()
  // Copies of its requests are not waited for either.
  connection.close()
}

function ownConnections(): number {
  return connectionCounters.own
}

/** Lets everybody send what they owe, and calls `end` once, at the latest when the time for it is over. */
function leaveBy(hooks: readonly ((done: () => void) => void)[], end: () => void): void {
  let left = hooks.length
  const timer = setTimeout(() => {
    left = 0
    end()
  }, LEAVE_MS)
  const done = () => {
    if (--left !== 0) return
    clearTimeout(timer)
    end()
  }
  for (const run of hooks) run(done)
}
