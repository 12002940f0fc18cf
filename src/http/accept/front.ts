/**
 * Stands between an accepted socket and what is spoken on it: reads what comes before HTTP, then hands the wire over.
 *
 *   PREAMBLE -> HELLO -> HANDSHAKE -> HTTP        PREAMBLE    the header of the PROXY protocol
 *      \----------\-------------------^           HELLO       what a TLS client says first; plain HTTP is told apart
 *                                                 HANDSHAKE   the engine is at work
 *
 * A listener that expects nothing of the kind gets its connections without it (plain-connection.ts). The time for all of it together is
 * `client_header_timeout`, and what is kept meanwhile is bounded by the longest preamble and hello.
 */

import { NO_BYTES } from '../../lib/bytes.ts'
import { clock } from '../../lib/clock.ts'
import { errnoText } from '../../lib/errno.ts'
import { ERROR, INFO, type LogContext } from '../../log/error-log.ts'
import { acceptTls } from '../../net/accept-tls.ts'
import { ClientHello, factsOf, HELLO_BROKEN, HELLO_MORE, parseClientHello } from '../../net/client-hello.ts'
import { beginEvent, flushWires } from '../../net/flush.ts'
import { PROXY_BROKEN, PROXY_MORE, parseProxyHeader, proxyHeader } from '../../net/proxy-protocol.ts'
import type { StreamWire } from '../../net/stream-wire.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { AcceptOwner, TlsServer } from '../../net/tls-server.ts'
import type { WireOwner } from '../../net/wire.ts'
import type { WireFailure } from '../../net/wire-failure.ts'
import { OcspCheck, type OcspWaiter } from '../../tls/ocsp-check.ts'
import { acceptOptions, TLS_1_3 } from '../../tls/server.ts'
import { H1Connection } from '../h1/connection.ts'
import { H2Connection } from '../h2/connection.ts'
import { Client } from '../request/client.ts'
import type { ServerConf } from '../request/location.ts'
import type { ClientConnection } from '../server/client-connection.ts'
import { NONE } from '../server/connection-counters.ts'
import type { HttpListener, VirtualServers } from '../server/listener.ts'
import { type Reusable, reusableConnections } from '../server/reusable.ts'
import { countFailedHandshake, countHandshake, countLateHandshake } from '../server/tls-counts.ts'
import { type HttpConnection, plainConnection } from './by-preface.ts'
import { alpnFor, chooseByName, connectionRequest, INTERNAL_ERROR, UNRECOGNIZED_NAME } from './handshake.ts'

const PREAMBLE = 0
const HELLO = 1
const HANDSHAKE = 2
const GONE = 3

/** What TLS begins with, and the mark of SSL 2, which only the engine answers. */
const TLS_HANDSHAKE = 0x16
const SSL_2 = 0x80

/** Reading is done at once: one serves all. */
const hello = new ClientHello()
/** For bytes that are no hello; the engine complains about them. */
const NO_HELLO = new ClientHello()

/** A connection that was just accepted. Reading begins with `start`. */
export interface Accepted {
  readonly client: Client
  start(): void
}

/** Takes an accepted wire. */
export function acceptClient(wire: StreamWire, listener: HttpListener): Accepted {
  const client = new Client(listener.nextConnectionId(), wire, listener)
  const servers = listener.serversFor(client)
  if (servers.proxyProtocol) return new Front(wire, listener, client, servers, PREAMBLE)
  return servers.ssl ? new Front(wire, listener, client, servers, HELLO) : plainConnection(wire, listener, client)
}

class Front implements WireOwner, TimerOwner, ClientConnection, LogContext, Accepted, AcceptOwner, OcspWaiter {
  readonly client: Client
  countedAs = NONE
  rosterPlace = -1
  reusableBefore: Reusable | undefined = undefined
  reusableAfter: Reusable | undefined = undefined
  readonly idle = false
  #wire: StreamWire
  readonly #listener: HttpListener
  readonly #servers: VirtualServers
  readonly #timer = new Timer(this)
  #state: number
  /** The server that the client asked for. */
  #server: ServerConf
  /** Bytes that came but are not used yet; bounded by what the longest preamble may have. */
  #rest: Buffer = NO_BYTES
  #check: OcspCheck | undefined

  constructor(wire: StreamWire, listener: HttpListener, client: Client, servers: VirtualServers, state: number) {
    this.#wire = wire
    this.#listener = listener
    this.client = client
    this.#servers = servers
    this.#server = servers.defaultServer
    this.#state = state
    wire.owner = this
    listener.opened(this)
    reusableConnections.add(this)
  }

  start(): void {
    setTimer(this.#timer, this.#server.connection.client_header_timeout)
    this.#wire.resume()
  }

  onBytes(buffer: Buffer, size: number): void {
    reusableConnections.remove(this)
    let bytes = buffer.subarray(0, size)
    if (this.#rest.length > 0) bytes = Buffer.concat([this.#rest, bytes])
    this.#rest = NO_BYTES
    if (this.#state === PREAMBLE) this.#preamble(bytes)
    else if (this.#state === HELLO) this.#hello(bytes)
  }

  /** `bytes` are borrowed. */
  #keep(bytes: Buffer): void {
    this.#rest = Buffer.from(bytes)
  }

  #preamble(bytes: Buffer): void {
    const { client } = this
    const header = proxyHeader()
    const length = parseProxyHeader(bytes, 0, bytes.length, header)
    if (length === PROXY_MORE) return this.#keep(bytes)
    if (length === PROXY_BROKEN) {
      this.#log(ERROR, `${header.problem} while reading PROXY protocol`)
      return this.close()
    }
    client.proxyAddress = header.source
    client.proxyPort = header.sourcePort
    client.proxyServerAddress = header.destination
    client.proxyServerPort = header.destinationPort
    client.proxyTlvs = header.tlvs
    const early = bytes.subarray(length)
    if (!this.#servers.ssl) return this.#serve(plainConnection(this.#wire, this.#listener, client), early)
    this.#state = HELLO
    if (early.length > 0) this.#hello(early)
  }

  // ---- TLS -------------------------------------------------------------------------------------

  #hello(bytes: Buffer): void {
    const first = bytes[0]!
    if (first !== TLS_HANDSHAKE && (first & SSL_2) === 0) {
      this.client.plainOnTls = true
      return this.#serve(new H1Connection(this.#wire, this.#listener, this.client), bytes)
    }
    const outcome = parseClientHello(bytes, 0, bytes.length, hello)
    if (outcome === HELLO_MORE) return this.#keep(bytes)
    const isKnown = outcome !== HELLO_BROKEN
    if (isKnown) {
      this.client.hello = factsOf(hello)
      this.#server = chooseByName(this.client, this.#servers, hello.serverName)
    }
    // The engine may understand what is broken here: a server that rejects everybody does not let that pass, either.
    if (!this.#server.ssl.rejects) return this.#accept(isKnown ? hello : NO_HELLO, bytes)
    this.#log(INFO, 'handshake rejected while SSL handshaking')
    this.#alert(UNRECOGNIZED_NAME)
  }

  /** Makes the engine, and gives it what has come. */
  #accept(said: ClientHello, bytes: Buffer): void {
    const server = this.#server
    const context = server.ssl.context ?? this.#servers.defaultServer.ssl.context
    const secure = context?.choose(() => connectionRequest(this.client, server)) ?? 'no certificate'
    if (context === undefined || typeof secure === 'string') {
      this.#log(ERROR, `${secure} while SSL handshaking`)
      this.#log(
        INFO,
        'SSL_do_handshake() failed (SSL: error:0A000179:SSL routines::cert cb error) while SSL handshaking',
      )
      return this.#alert(INTERNAL_ERROR)
    }
    if (server.base.core.tcp_nodelay) this.#wire.setNoDelay()
    const options = acceptOptions(
      said,
      server.ssl,
      context,
      secure,
      alpnFor(this.#servers.http2Listen || server.http2.on),
    )
    const wire = acceptTls(this.#wire, options, this)
    this.#wire = wire
    this.client.wire = wire
    this.#state = HANDSHAKE
    wire.owner = this
    wire.start(bytes, context.speaks13 && (said === NO_HELLO || said.version >= TLS_1_3))
  }

  /** Ends with an alert that no engine has made. */
  #alert(text: string): void {
    countFailedHandshake(this.#server, undefined)
    this.#leave()
    this.#wire.write(text)
    this.#wire.closeAfterFlush(this.#server.connection.send_timeout)
  }

  onHandshake(): void {
    clock.update()
    beginEvent()
    const tls = this.#wire as TlsServer // Who calls is this wire.
    this.client.secure = true
    this.client.tls = tls
    countHandshake(this.#server, tls)
    const check = this.#ocspCheck(tls)
    const known = check === undefined ? '' : check.start()
    if (known === undefined) {
      // The request waits until the issuers have answered.
      this.#check = check
      tls.pause()
    } else this.#begin(tls, known)
    flushWires()
  }

  /** `ssl_ocsp`: a client's certificate that is sound in itself is asked about. */
  #ocspCheck(tls: TlsServer): OcspCheck | undefined {
    const context = this.#server.ssl.context ?? this.#servers.defaultServer.ssl.context
    if (context?.ocsp === undefined || tls.peer?.result.code !== 0) return undefined
    return new OcspCheck(context.ocsp, tls.peerChain, this)
  }

  onChecked(problem: string): void {
    if (this.#state === GONE) return
    beginEvent()
    this.#check = undefined
    this.#begin(this.#wire as TlsServer, problem) // TLS is what was checked.
    flushWires()
  }

  onProblem(text: string): void {
    this.#log(ERROR, text)
  }

  /** HTTP begins; `problem` is what was found out about the client's certificates. */
  #begin(tls: TlsServer, problem: string): void {
    this.client.ocspProblem = problem
    const Kind = tls.alpnProtocol === 'h2' ? H2Connection : H1Connection
    this.#serve(new Kind(tls, this.#listener, this.client), NO_BYTES)
  }

  // ---- the end ---------------------------------------------------------------------------------

  /** Lets another one go on; it has taken over the wire, and `early` is what the wire brought already. */
  #serve(connection: HttpConnection, early: Buffer): void {
    this.#leave()
    connection.start()
    if (early.length > 0) connection.onBytes(early, early.length)
  }

  onDrain(): void {}

  onEnd(): void {
    if (this.#state === HELLO && this.#rest.length === 0) {
      this.#log(INFO, 'client closed connection while SSL handshaking')
    } else if (this.#state === HELLO || this.#state === HANDSHAKE) {
      this.#log(INFO, 'peer closed connection in SSL handshake while SSL handshaking')
      countFailedHandshake(this.#server, undefined)
    }
    this.close()
  }

  onClose(failure: WireFailure | undefined): void {
    if (this.#state === GONE) return
    if (this.#state === HANDSHAKE && failure !== undefined) {
      this.#log(INFO, `${handshakeText(failure)} while SSL handshaking`)
      countFailedHandshake(this.#server, failure)
    }
    this.#leave()
  }

  onTimeout(): void {
    if (this.#state === HELLO || this.#state === HANDSHAKE) {
      this.#log(INFO, `client timed out ${errnoText('ETIMEDOUT')} while SSL handshaking`)
      countLateHandshake(this.#server)
    }
    this.close()
  }

  /** A client that has just come is about to ask something: it is served, or its time runs out. */
  shutDown(): void {}

  reuse(): void {
    this.close()
  }

  cutOff(): void {
    this.close()
  }

  close(): void {
    if (this.#state === GONE) return
    this.#leave()
    this.#wire.destroy()
  }

  #leave(): void {
    if (this.#state === GONE) return
    this.#state = GONE
    this.#rest = NO_BYTES
    this.#check?.cancel()
    cancelTimer(this.#timer)
    this.#listener.closed(this)
  }

  // ---- logs ------------------------------------------------------------------------------------

  #log(level: number, message: string): void {
    this.#server.base.log.write(level, message, this)
  }

  get connection(): number {
    return this.client.id
  }

  get debugConnection(): boolean {
    return this.client.debug
  }

  describe(): string {
    return `, client: ${this.client.address}, server: ${this.#listener.key}`
  }
}

/** Why a handshake came to nothing. */
function handshakeText(failure: WireFailure): string {
  return failure.kind === 'tls'
    ? failure.problem
    : `peer closed connection in SSL handshake ${errnoText(failure.errno)}`
}
