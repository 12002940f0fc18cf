/** An exchange that has become a tunnel after 101: what passes between client and back end is counted and logged. */
import { INFO, ERROR as LOG_ERROR } from '../../log/error-log.ts'
import type { Wire } from '../../net/wire.ts'
import { type TunnelOwner, WireTunnel } from '../../upstream/tunnel.ts'
import type { Attempt } from '../request/attempts.ts'
import type { Request } from '../request/request.ts'
import type { ExchangeConf } from './conf.ts'

/** Hears when both sides are over. */
export interface UpgradedOwner {
  tunnelEnded(): void
}

/** The tunnel of one exchange. */
export class Upgraded implements TunnelOwner {
  readonly #owner: UpgradedOwner
  #r!: Request
  #attempt!: Attempt
  #timedOut = false

  constructor(owner: UpgradedOwner) {
    this.#owner = owner
  }

  /** Sends the head and ties the client to `wire`, that of the back end. */
  start(r: Request, conf: ExchangeConf, wire: Wire, attempt: Attempt): void {
    this.#r = r
    this.#attempt = attempt
    this.#timedOut = false
    r.keepAlive = false
    r.sendHead()
    const { read_timeout, send_timeout, half_close } = conf.transport
    const tunnel = new WireTunnel(r.carrier.tunnelWire ?? r.client.wire, wire, this, {
      readTimeoutMs: read_timeout,
      sendTimeoutMs: send_timeout,
      clientSendTimeoutMs: r.location.core.send_timeout,
      halfClose: half_close,
    })
    r.carrier.startTunnel!(tunnel)
  }

  onTunnelBytes(count: number): void {
    const attempt = this.#attempt
    attempt.bytesReceived += count
    attempt.responseLength += count
    this.#r.bytesSent += count
  }

  onTunnelTimeout(who: 'client' | 'upstream'): void {
    this.#timedOut = true
    const level = who === 'client' ? INFO : LOG_ERROR
    this.#r.logError(level, `${who} timed out (110: Connection timed out) while proxying upgraded connection`)
  }

  onTunnelEnd(): void {
    // As in nginx, whichever side ends it: `$request_completion`.
    this.#r.completed = !this.#timedOut
    this.#owner.tunnelEnded()
  }
}
