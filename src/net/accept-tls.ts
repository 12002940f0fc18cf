/** Lays TLS over what was accepted: OpenSSL's engine on a ring, else Node's on a handle. */
import { RingTlsServerWire } from './ring-tls-server-wire.ts'
import type { StreamWire } from './stream-wire.ts'
import type { AcceptOwner, TlsAcceptOptions, TlsServer } from './tls-server.ts'
import { TlsServerWire } from './tls-server-wire.ts'

/** Takes over a plain wire that was accepted to be secured; the result may be another one. `start` follows. */
export function acceptTls(wire: StreamWire, options: TlsAcceptOptions, owner: AcceptOwner): TlsServer {
  if (!(wire instanceof RingTlsServerWire)) return new TlsServerWire(wire.release(), options, owner)
  wire.secure(options, owner)
  return wire
}
