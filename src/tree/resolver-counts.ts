/** What is counted of a `resolver` with `status_zone`, in memory that all workers share. */
import { NO_RECORDS, TIMED_OUT } from '../net/dns-lookup.ts'
import type { LookupCounts } from '../net/resolver.ts'
import { Tally, tallySize } from '../shared/tally.ts'
import type { TreeServices } from './context.ts'

const TAG = 'resolver_status_zone'
const PREFIX = 'resolver zone '

/** What was asked for. */
const REQUESTS = ['name', 'srv', 'addr'] as const
/** What came back; the first six in the order of their codes. */
const RESPONSES = ['noerror', 'formerr', 'servfail', 'nxdomain', 'notimp', 'refused', 'timedout', 'unknown'] as const
const REFUSED = 5
const TIMEOUT = REQUESTS.length + RESPONSES.indexOf('timedout')
const UNKNOWN = REQUESTS.length + RESPONSES.indexOf('unknown')
const FIELDS = REQUESTS.length + RESPONSES.length

/** What was counted. */
interface ResolverNumbers {
  readonly requests: Readonly<Record<(typeof REQUESTS)[number], number>>
  readonly responses: Readonly<Record<(typeof RESPONSES)[number], number>>
}

class ResolverCounts implements LookupCounts {
  readonly tally: Tally

  constructor(tally: Tally) {
    this.tally = tally
  }

  onLookup(isService: boolean): void {
    this.tally.row[isService ? 1 : 0]!++
  }

  onOutcome(code: number): void {
    const { row } = this.tally
    if (code === TIMED_OUT) row[TIMEOUT]!++
    else if (code === NO_RECORDS) row[REQUESTS.length]!++
    else row[code >= 0 && code <= REFUSED ? REQUESTS.length + code : UNKNOWN]!++
  }

  read(): ResolverNumbers {
    const { tally } = this
    const requests = REQUESTS.map((name, n) => [name, tally.sum(n)])
    const responses = RESPONSES.map((name, n) => [name, tally.sum(REQUESTS.length + n)])
    // One entry for each of the names.
    return { requests: Object.fromEntries(requests), responses: Object.fromEntries(responses) } as ResolverNumbers
  }
}

/** Where the resolvers of a zone are counted; undefined where nothing is served. */
export function resolverCounts(name: string, tree: TreeServices): ResolverCounts | undefined {
  const key = PREFIX + name
  const buffer = tree.zone(key, tallySize(FIELDS), TAG)
  const tally = buffer === undefined ? undefined : Tally.attach(key, buffer, { fields: FIELDS, gauges: 0 })
  return tally === undefined ? undefined : new ResolverCounts(tally)
}

/** Names of all zones of resolvers. */
export function resolverZones(tree: TreeServices): readonly string[] {
  const names = tree.zoneNames().filter((name) => name.startsWith(PREFIX))
  return names.map((name) => name.slice(PREFIX.length)).toSorted()
}
