/** A carrier of requests that no client sent: they have an address of this machine, and what they answer goes nowhere. */
import { NoWire } from '../../net/no-wire.ts'
import type { Carrier } from './carrier.ts'
import { Client } from './client.ts'

const LOCAL = { address: '127.0.0.1', port: 0, unixPath: '' }

export class NoCarrier implements Carrier {
  readonly client: Client
  readonly full = false
  readonly pendingBytes = 0
  readonly closing = false

  /** `client` is the one whose connection is asked about, if there is one. */
  constructor(client: Client = new Client(0, new NoWire(), LOCAL)) {
    this.client = client
  }

  sendHead(): void {}
  sendInterim(): void {}
  startBody(): void {}
  takeBody(): number {
    return 0
  }
  pauseBody(): void {}
  resumeBody(): void {}
  requestEnded(): void {}
  abortRequest(): void {}
}
