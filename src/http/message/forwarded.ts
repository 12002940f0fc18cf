/**
 * The address that trusted proxies say a request came from (ngx_http_get_forwarded_addr): lists such as
 * `client, proxy1, proxy2` are read from their end for as long as the sender of each entry is trusted.
 */
import { type Cidr, findCidr } from '../../lib/cidr.ts'
import { parseIp } from '../../lib/ip.ts'

/** An address as bytes (see ip.ts; '' is a UNIX socket) with its port, or 0. */
export interface Peer {
  readonly bytes: string
  readonly port: number
}

const SPACE = 0x20
const COMMA = 0x2c

/** Returns the address behind `peer`; `peer` itself when it is not trusted or says nothing usable. */
export function forwardedPeer(
  peer: Peer,
  lists: readonly string[],
  proxies: readonly Cidr[],
  recursive: boolean,
): Peer {
  let found = peer
  for (let i = lists.length - 1; i >= 0; i--) {
    const list = lists[i]!
    let end = list.length
    for (;;) {
      while (end > 0 && isSeparator(list.charCodeAt(end - 1))) end--
      let start = end
      while (start > 0 && !isSeparator(list.charCodeAt(start - 1))) start--
      const next = findCidr(proxies, found.bytes) < 0 ? undefined : parsePeer(list.slice(start, end))
      if (next === undefined) return found
      found = next
      if (!recursive) return found
      if (start === 0) break
      end = start
    }
  }
  return found
}

function isSeparator(byte: number): boolean {
  return byte === SPACE || byte === COMMA
}

/** Reads `1.2.3.4`, `1.2.3.4:80`, `::1` or `[::1]:80`; undefined when it is anything else. */
export function parsePeer(text: string): Peer | undefined {
  const plain = parseIp(text)
  if (plain !== undefined) return { bytes: plain, port: 0 }
  const match = /^(?:\[(.*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text)
  if (match === null) return undefined
  const bytes = parseIp(match[1] ?? match[2] ?? '')
  const port = match[3] === undefined ? 0 : Number(match[3])
  const bracketsFit = bytes?.length === (match[1] === undefined ? 4 : 16)
  if (bytes === undefined || !bracketsFit || port > 65535 || (port === 0 && match[3] !== undefined)) return undefined
  return { bytes, port }
}
