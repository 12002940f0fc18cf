/** A back end that is spoken to by the client itself, behind CONNECT: a connection that is open is answered with 200. */
import { HeaderTable } from '../../message/header-table.ts'
import { BODY_BROKEN, type Codec, HEAD_INVALID, type Protocol } from '../codec.ts'
import { OWN_CONNECTIONS } from '../link.ts'

class TunnelCodec implements Codec {
  readonly headers = new HeaderTable()
  readonly status = 200
  readonly statusText = ''
  readonly headLength = 0
  readonly contentLength = -1
  readonly problem = ''
  readonly behindBody = 0
  readonly bodyDone = false
  readonly endsWithConnection = true
  readonly keepAlive = false
  readonly upgraded = true

  begin(): void {}

  // Bytes of the back end are the tunnel's.
  parseHead(): number {
    return HEAD_INVALID
  }

  nextHead(): void {}

  decodeBody(): number {
    return BODY_BROKEN
  }
}

/** What `tunnel_pass` speaks: nothing. */
export const TUNNEL: Protocol = {
  tunnel: true,
  framed: false,
  links: OWN_CONNECTIONS,
  newCodec: () => new TunnelCodec(),
}
