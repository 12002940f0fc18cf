/**
 * The names of nginx-module-vts for what zones count: dashboards that were made for it go on without the module's own
 * directives. Servers are `status_zone`s, and locations a filter of their own.
 */
import type { HttpTree } from '../../../http/compile/module.ts'
import type { ZoneSums } from '../../../http/server/zone-counts.ts'
import type { Exposition, Labels } from '../../../http/status/exposition.ts'
import { listPeers, shownGroups } from '../../../http/status/upstreams.ts'
import { VTS_ALL, VtsNames } from '../../../http/status/vts-names.ts'
import { zoneNumbers } from '../../../http/status/zones.ts'
import { clock } from '../../../lib/clock.ts'
import { countOf, sumOfHistograms, TIME_BOUNDS, type TimeHistogram } from '../../../shared/time-histogram.ts'

const LOCATIONS = 'location_zones'

/** Writes them. */
export function writeVts(page: Exposition, tree: HttpTree): void {
  const names = new VtsNames(page)
  names.main(tree)
  const servers = zoneNumbers(tree, 'server')
  for (const [host, numbers] of servers) writeCounted(names, 'server', { host }, numbers)
  writeCounted(names, 'server', { host: VTS_ALL }, allOf([...servers.values()]))
  for (const [filter_name, numbers] of zoneNumbers(tree, 'location')) {
    writeCounted(names, 'filter', { filter: LOCATIONS, filter_name }, numbers)
  }
  for (const [upstream, group] of shownGroups(tree)) {
    for (const { peer } of listPeers(group)) {
      const numbers = peer.counts?.read(clock.now)
      if (numbers === undefined) continue
      const labels = { upstream, backend: peer.address.name }
      // The module names directions from the clients' side, also here.
      names.traffic('upstream', labels, { ...numbers, received: numbers.sent, sent: numbers.received })
      writeTimes(names, 'upstream_response', labels, numbers.times)
    }
  }
  names.caches(tree)
}

function writeCounted(names: VtsNames, kind: string, labels: Labels, numbers: ZoneSums): void {
  names.traffic(kind, labels, numbers)
  writeTimes(names, `${kind}_request`, labels, numbers.times)
}

function writeTimes(names: VtsNames, name: string, labels: Labels, times: TimeHistogram): void {
  const { counts, sumMs } = times
  const count = countOf(times)
  const below = TIME_BOUNDS.map((_, n) => counts.slice(0, n + 1).reduce((sum, one) => sum + one, 0))
  names.times(name, labels, sumMs, count === 0 ? 0 : sumMs / count)
  names.histogram(name, labels, { boundsMs: TIME_BOUNDS, below, sumMs, count })
}

function allOf(zones: readonly ZoneSums[]): ZoneSums {
  const sum = (of: (zone: ZoneSums) => number): number => zones.reduce((all, zone) => all + of(zone), 0)
  return {
    received: sum(({ received }) => received),
    sent: sum(({ sent }) => sent),
    classes: [0, 1, 2, 3, 4].map((n) => sum(({ classes }) => classes[n]!)),
    times: sumOfHistograms(zones.map(({ times }) => times)),
  }
}
