/** What TLS came to as NGINX Plus's API shows it: with clients of a server, with a server of a group, and in all. */
import { type PeerTlsNumbers, peerTlsTotals } from '../../upstream/tls-counts.ts'
import { tlsTotals } from '../server/tls-counts.ts'
import type { TlsField } from '../server/zone-counts.ts'

/** The numbers of a server's clients; names of theirs are not compared with anything. */
export function clientTlsObject(tls: Readonly<Record<TlsField, number>>): object {
  const { no_cert, expired_cert, revoked_cert, hostname_mismatch: _, other, ...counts } = tls
  return { ...counts, verify_failures: { no_cert, expired_cert, revoked_cert, other } }
}

/** True when TLS was spoken with a server, or was to be. */
export function tlsSpoken({ handshakes, handshakes_failed }: PeerTlsNumbers): boolean {
  return handshakes + handshakes_failed > 0
}

/** The numbers of one server of a group; undefined when TLS was never spoken with it. */
export function peerTlsObject(tls: PeerTlsNumbers | undefined): object | undefined {
  if (tls === undefined || !tlsSpoken(tls)) return undefined
  const { expired_cert, revoked_cert, hostname_mismatch, other, ...counts } = tls
  return { ...counts, verify_failures: { expired_cert, revoked_cert, hostname_mismatch, other } }
}

/** With all clients and all servers together; undefined where nothing shows it. */
export function allTlsObject(): object | undefined {
  const clients = tlsTotals()?.read().tls
  const peers = peerTlsTotals()?.read()
  if (clients === undefined) return undefined
  const sum = (name: keyof PeerTlsNumbers): number => clients[name] + (peers?.[name] ?? 0)
  return {
    handshakes: sum('handshakes'),
    handshakes_failed: sum('handshakes_failed'),
    session_reuses: sum('session_reuses'),
    no_common_protocol: sum('no_common_protocol'),
    no_common_cipher: clients.no_common_cipher,
    handshake_timeout: sum('handshake_timeout'),
    peer_rejected_cert: sum('peer_rejected_cert'),
    verify_failures: {
      no_cert: clients.no_cert,
      expired_cert: sum('expired_cert'),
      revoked_cert: sum('revoked_cert'),
      hostname_mismatch: sum('hostname_mismatch'),
      other: sum('other'),
    },
  }
}

/** Begins to count from zero. */
export function resetTls(): void {
  tlsTotals()?.reset()
  peerTlsTotals()?.reset()
}
