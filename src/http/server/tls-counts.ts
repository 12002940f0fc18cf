/** What becomes of handshakes with clients: counted for the server that is asked for, and for all together. */
import { tlsFaultOf, verifyFault } from '../../net/tls-fault.ts'
import type { TlsServer } from '../../net/tls-server.ts'
import type { WireFailure } from '../../net/wire-failure.ts'
import { VERIFY_OFF } from '../../tls/server.ts'
import type { HttpTree } from '../compile/module.ts'
import type { ServerConf } from '../request/location.ts'
import { SERVER_COUNTS } from './status-zones.ts'
import { TLS_FIELDS, type TlsField, ZONE_COUNTS_SIZE, ZoneCounts } from './zone-counts.ts'

const ZONE = 'TLS of all servers'

/** Places in the row of counts. */
const PLACES = Object.fromEntries(TLS_FIELDS.map((name, n) => [name, n])) as Record<TlsField, number> // one for each name

/** The counts of all servers, in this thread. */
let totals: ZoneCounts | undefined

/** Counts in this memory from now on, where something shows it. */
export function countTlsIn(tree: HttpTree, zone: (name: string, size: number) => SharedArrayBuffer | undefined): void {
  const buffer = zone(ZONE, ZONE_COUNTS_SIZE)
  const counts = buffer === undefined ? undefined : ZoneCounts.attach(ZONE, buffer)
  tree.onStart(() => {
    totals = counts
  })
}

/** The counts of all servers; undefined where nothing shows them. */
export function tlsTotals(): ZoneCounts | undefined {
  return totals
}

/** A handshake is complete. */
export function countHandshake(server: ServerConf, tls: TlsServer): void {
  if (!counted(server)) return
  count(server, 'handshakes')
  if (tls.reused) count(server, 'session_reuses')
  if (server.ssl.verify === VERIFY_OFF) return
  const { peer } = tls
  if (peer === undefined) count(server, 'no_cert')
  else if (peer.result.code !== 0) count(server, verifyFault(peer.result.code))
}

/** A handshake came to nothing; without a failure the client went away. */
export function countFailedHandshake(server: ServerConf, failure: WireFailure | undefined): void {
  if (!counted(server)) return
  count(server, 'handshakes_failed')
  if (failure?.kind !== 'tls') return
  const fault = tlsFaultOf(failure.problem)
  if (fault !== undefined) count(server, fault)
}

/** A handshake took too long. */
export function countLateHandshake(server: ServerConf): void {
  if (!counted(server)) return
  count(server, 'handshakes_failed')
  count(server, 'handshake_timeout')
}

function counted(server: ServerConf): boolean {
  return totals !== undefined || server.base.get(SERVER_COUNTS) !== undefined
}

function count(server: ServerConf, field: TlsField): void {
  totals?.countTls(PLACES[field])
  server.base.get(SERVER_COUNTS)?.countTls(PLACES[field])
}
