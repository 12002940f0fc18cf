/**
 * `status_zone` (NGINX Plus): where the requests of a server, and of locations in it, are counted. A request counts for
 * the server that it came to and for the location that it ended in.
 */
import { text } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import type { LocationConf } from '../../http/request/location.ts'
import type { Plan } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { defineMark } from '../../http/request/slots.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { SERVER_COUNTS, statusZonesOf } from '../../http/server/status-zones.ts'
import type { ZoneCounts } from '../../http/server/zone-counts.ts'

/** Ends counting for blocks inside. */
const OFF = 'off'

const directives = {
  status_zone: directive({
    in: ['server', 'location', 'if'],
    args: text('zone'),
    inheritance: 'never',
    doc: 'The zone that requests are counted in, for `api`, `metrics` and others; `off`: none, also in locations inside.',
  }),
}

/** The request is among those that the zone of its server has under way. */
const BEGUN = defineMark(1)

/** The module list's entry. */
export const statusZoneModule = httpModule({
  name: 'http_status_zone',
  doc: 'Counts requests by zones of servers and locations.',
  directives,
  attach(_, plan, at) {
    attachServer(plan, at)
    const name = zoneOf(at.location, at.server.base)
    if (name === OFF) return
    const counts = name === undefined ? undefined : statusZonesOf(at).use('location', name, at.scope.at)
    if (counts !== undefined) plan.log(count, counts)
  },
})

function attachServer(plan: Plan, at: AttachContext): void {
  const { base } = at.server
  const { status_zone: name } = base.scope.resolve(directives)
  if (name === undefined || name === OFF) return
  const counts = statusZonesOf(at).use('server', name, base.scope.at)
  if (counts === undefined) return
  if (at.location === base) {
    base.set(SERVER_COUNTS, counts)
    plan.postread(begin, counts)
  }
  plan.log(countForServer, counts)
}

/** The zone of a location, or of the nearest one around it that names one. */
function zoneOf(location: LocationConf, base: LocationConf): string | undefined {
  for (let at: LocationConf | undefined = location; at !== undefined && at !== base; at = at.outer) {
    const { status_zone: name } = at.scope.resolve(directives)
    if (name !== undefined) return name
  }
  return undefined
}

function begin(r: Request, counts: ZoneCounts): Verdict {
  r.setMark(BEGUN, 1)
  counts.begin()
  return NEXT
}

function countForServer(r: Request, counts: ZoneCounts): void {
  // Subrequests that are logged are part of a request that is counted.
  if (r.main !== r) return
  if (r.mark(BEGUN) !== 0) counts.end()
  r.setMark(BEGUN, 0)
  counts.count(r)
}

function count(r: Request, counts: ZoneCounts): void {
  if (r.main === r) counts.count(r)
}
