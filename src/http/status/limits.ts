/** The zones of `limit_req` and `limit_conn`, and what became of requests in them, in the words of NGINX Plus. */
import type { ConnRecords } from '../../shared/conn-records.ts'
import type { RateRecords } from '../../shared/rate-records.ts'
import { LimitZones } from '../../tree/limit-zone.ts'
import type { HttpTree } from '../compile/module.ts'
import type { Request } from '../request/request.ts'

/** What may become of a request, by the numbers from 1 on that modules have for it. */
export const RATE_OUTCOMES = ['passed', 'delayed', 'rejected', 'delayed_dry_run', 'rejected_dry_run'] as const
/** The same of connections. */
export const CONN_OUTCOMES = ['passed', 'rejected', 'rejected_dry_run'] as const

/** Zones of request rates. */
type RateZones = LimitZones<Request, RateRecords>
/** Zones of connections. */
type ConnZones = LimitZones<Request, ConnRecords>

/** The zones of `limit_req` of a tree. */
export function rateZonesOf(tree: HttpTree): RateZones {
  return tree.shared('limit_req zones', () => new LimitZones<Request, RateRecords>('limit_req', 'limit_req', tree))
}

/** The zones of `limit_conn` of a tree. */
export function connZonesOf(tree: HttpTree): ConnZones {
  return tree.shared(
    'limit_conn zones',
    () => new LimitZones<Request, ConnRecords>('limit_conn', 'limit_conn_zone', tree),
  )
}

/** What became of requests in one zone. */
type LimitNumbers = Readonly<Record<string, number>>

/** What became of requests, by zone. */
export function limitNumbers(
  zones: RateZones | ConnZones,
  outcomes: readonly string[],
): ReadonlyMap<string, LimitNumbers> {
  return new Map(
    [...zones.all].map(([name, zone]) => [
      name,
      Object.fromEntries(outcomes.map((outcome, n) => [outcome, zone.countOf(n + 1)])),
    ]),
  )
}
