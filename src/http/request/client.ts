/**
 * What is known of the client's connection: set when it is accepted, read by variables, logs and access rules.
 * `realip` and the PROXY protocol replace the address for the requests that follow.
 */

import { clock } from '../../lib/clock.ts'
import { parseIp } from '../../lib/ip.ts'
import type { HelloFacts } from '../../net/client-hello.ts'
import type { TlsServer } from '../../net/tls-server.ts'
import type { Wire } from '../../net/wire.ts'
import type { ServerConf } from './location.ts'

/** What a listener tells about the connections that it accepts. */
interface LocalEnd {
  /** Address of the socket when it is bound to one; empty for wildcards: then it is asked of the connection. */
  readonly address: string
  readonly port: number
  readonly unixPath: string
}

export class Client {
  /** `$connection`: unique in this worker process. */
  readonly id: number
  /** TLS is laid over the one that it was accepted with. */
  wire: Wire
  /** Text without port; `unix:` for unix sockets. */
  address: string
  secure = false
  /** The connection does not follow a reload: it ends when what is under way is done. */
  leaving = false
  /** TLS as it was agreed on. */
  tls: TlsServer | undefined
  /** What the client said when TLS began. */
  hello: HelloFacts | undefined
  /** What was found out about the client's certificates by asking their issuers; empty: nothing against them. */
  ocspProblem = ''
  /** The name that the client asked for when TLS began, if a server has it, and where that server is found, after a reload the new one. */
  sniName = ''
  sniPlace: { readonly server: ServerConf } | undefined
  /** HTTP came in plain text where TLS is spoken. */
  plainOnTls = false
  /** `debug_connection` holds for this address. */
  debug = false
  /** The current request came before the last one was answered. */
  pipelined = false
  /** Some request has: the client does not wait, and more may be on its way at any time. */
  pipelines = false
  /** When the connection was accepted, monotonic milliseconds. */
  startMs = clock.monotonic
  /** `$connection_requests`. */
  requests = 0
  /** From the PROXY protocol; empty without it. */
  proxyAddress = ''
  proxyPort = 0
  proxyServerAddress = ''
  proxyServerPort = 0
  /** Type-length-values of the PROXY protocol, one byte per char. */
  proxyTlvs = ''
  readonly #local: LocalEnd
  #port = -1
  #binary = ''
  #serverAddress = ''

  constructor(id: number, wire: Wire, local: LocalEnd) {
    this.id = id
    this.wire = wire
    this.#local = local
    this.address = local.unixPath === '' ? withoutMapping(wire.remoteAddress) : 'unix:'
  }

  /** The server of `sniName`, if there is one. */
  get sniServer(): ServerConf | undefined {
    return this.sniPlace?.server
  }

  get port(): number {
    if (this.#port < 0) this.#port = this.wire.remotePort
    return this.#port
  }
  set port(port: number) {
    this.#port = port
  }

  /** The address as bytes, one char each (`$binary_remote_addr`). */
  get binaryAddress(): string {
    if (this.#binary === '') this.#binary = parseIp(this.address) ?? this.address
    return this.#binary
  }

  /** The same client with another address, as `realip` finds one: for one request. */
  withAddress(address: string, port: number): Client {
    const copy = new Client(this.id, this.wire, this.#local)
    copy.address = address
    copy.#port = port
    copy.secure = this.secure
    copy.tls = this.tls
    copy.hello = this.hello
    copy.ocspProblem = this.ocspProblem
    copy.sniName = this.sniName
    copy.sniPlace = this.sniPlace
    copy.debug = this.debug
    copy.pipelined = this.pipelined
    copy.startMs = this.startMs
    copy.requests = this.requests
    copy.proxyAddress = this.proxyAddress
    copy.proxyPort = this.proxyPort
    copy.proxyServerAddress = this.proxyServerAddress
    copy.proxyServerPort = this.proxyServerPort
    copy.proxyTlvs = this.proxyTlvs
    return copy
  }

  /** `$server_addr`. */
  get serverAddress(): string {
    if (this.#serverAddress === '') {
      const { address, unixPath } = this.#local
      if (unixPath !== '') this.#serverAddress = 'unix:' + unixPath
      else this.#serverAddress = address === '' ? withoutMapping(this.wire.localAddress) : address
    }
    return this.#serverAddress
  }

  /** `$server_port`; 0 for unix sockets. */
  get serverPort(): number {
    return this.#local.port
  }

  /** The server's address as a URL's host. */
  serverHost(): string {
    const address = this.serverAddress
    return address.includes(':') && !address.startsWith('unix:') ? `[${address}]` : address
  }
}

/** An IPv4 client of a dual-stack socket is told in IPv4's own form. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
