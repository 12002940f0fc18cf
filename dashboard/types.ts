/** What the API answers, as far as the page shows it. Times are in milliseconds. */

export interface Classes {
  readonly '1xx': number
  readonly '2xx': number
  readonly '3xx': number
  readonly '4xx': number
  readonly '5xx': number
  readonly codes?: Readonly<Record<string, number>>
  readonly total: number
}

export interface Zone {
  readonly processing?: number
  readonly requests: number
  readonly responses: Classes
  readonly discarded: number
  readonly received: number
  readonly sent: number
  readonly ssl?: Tls
}

export interface Tls {
  readonly handshakes: number
  readonly handshakes_failed: number
  readonly session_reuses: number
}

/** Pairs of a bound and how many were not longer; a bound of null is none. */
export type Buckets = readonly (readonly [upToMs: number | null, count: number])[]

export interface Times {
  readonly count: number
  readonly sum: number
  readonly buckets: Buckets
}

export interface Peer {
  readonly id: number
  readonly server: string
  readonly name: string
  readonly backup: boolean
  readonly weight: number
  readonly state: string
  readonly active: number
  readonly max_conns?: number
  readonly requests: number
  readonly responses: Classes
  readonly sent: number
  readonly received: number
  readonly fails: number
  readonly unavail: number
  readonly health_checks: {
    readonly checks: number
    readonly fails: number
    readonly unhealthy: number
    readonly last_passed?: boolean
  }
  readonly downtime: number
  readonly downstart?: string
  readonly selected?: string
  readonly header_time?: number
  readonly response_time?: number
}

export interface Group {
  readonly peers: readonly Peer[]
  readonly keepalive: number
  readonly zombies: number
  readonly zone: string
  readonly queue?: { readonly size: number; readonly max_size: number; readonly overflows: number }
}

export interface PeerTimes {
  readonly id: number
  readonly state: string
  /** Since when it is in its state; 0: nobody knows. */
  readonly since: number
  /** The last states that it was seen in, the newest last. */
  readonly changes: readonly { readonly at: number; readonly state: string }[]
  /** Outcomes of the last health checks, true when passed, the newest last. */
  readonly last_checks: readonly boolean[]
  readonly down_since: number
  readonly checks: {
    readonly passed: number
    readonly failed: number
    readonly all: number
    readonly failed_all: number
  }
  readonly times: Times
}

export interface Timed {
  readonly last: number
  readonly times: Times
}

export interface Counted {
  readonly responses: number
  readonly bytes: number
}

export interface Cache {
  readonly size: number
  readonly maxSize?: number
  readonly cold: boolean
  readonly entries: number
  readonly zone: { readonly used: number; readonly total: number }
  readonly hit: Counted
  readonly stale: Counted
  readonly updating: Counted
  readonly revalidated: Counted
  readonly miss: Counted
  readonly expired: Counted
  readonly bypass: Counted
  readonly scarce: Counted
  readonly stored: number
  readonly refused: Readonly<Record<string, number>>
  readonly removed: Readonly<Record<string, number>>
  readonly waits: { readonly all: number; readonly timeouts: number; readonly followed: number }
}

export interface LimitReq {
  readonly passed: number
  readonly delayed: number
  readonly rejected: number
  readonly delayed_dry_run: number
  readonly rejected_dry_run: number
}

export interface LimitConn {
  readonly passed: number
  readonly rejected: number
  readonly rejected_dry_run: number
}

export interface Worker {
  readonly id: number
  readonly pid: number
  readonly heapBytes: number
  readonly externalBytes: number
  readonly delay: { readonly median: number; readonly p99: number; readonly max: number }
  readonly busy: number
  readonly accepted: number
  readonly dropped: number
  readonly active: number
  readonly idle: number
  readonly requests: number
  readonly current: number
}

export interface Reload {
  readonly at: number
  readonly tookMs: number
  readonly ok: boolean
  readonly generation: number
  readonly workers: number
  readonly changed: readonly string[]
  readonly problem: string
}

export interface Reloads {
  readonly startedMs: number
  readonly generation: number
  readonly loadedMs: number
  readonly respawned: number
  readonly refused: number
  readonly reloads: readonly Reload[]
}

export interface Certificate {
  readonly file: string
  readonly subject: string
  readonly issuer: string
  readonly names: readonly string[]
  readonly notAfterMs: number
  readonly daysLeft: number
}

export interface TopEntry {
  readonly text: string
  readonly count: number
  readonly ms: number
}

export interface Top {
  readonly recorded: boolean
  readonly urls: readonly TopEntry[]
  readonly clients: readonly TopEntry[]
  readonly errors: readonly TopEntry[]
}

export interface Attempt {
  readonly address: string
  readonly status: number
  readonly queue: number
  readonly connect: number
  readonly header: number
  readonly response: number
}

export interface Sample {
  readonly at: number
  readonly ms: number
  readonly method: string
  readonly uri: string
  readonly status: number
  readonly sent: number
  readonly received: number
  readonly client: string
  readonly host: string
  readonly server: string
  readonly location: string
  readonly protocol: number
  readonly cache?: string
  readonly upstream?: readonly Attempt[]
}

export interface Samples {
  readonly recorded: boolean
  readonly written: number
  readonly requests: readonly Sample[]
}

export interface Resolver {
  readonly requests: { readonly name: number; readonly srv: number; readonly addr: number }
  readonly responses: Readonly<Record<string, number>>
}

export interface Slab {
  readonly pages: { readonly used: number; readonly free: number }
  readonly slots: Readonly<Record<string, { readonly used: number; readonly free: number; readonly fails: number }>>
}

export interface Nginx {
  readonly version: string
  readonly build: string
  readonly address: string
  readonly generation: number
  readonly load_timestamp: string
  readonly timestamp: string
  readonly pid: number
}

export interface Connections {
  readonly accepted: number
  readonly dropped: number
  readonly active: number
  readonly idle: number
}

export type Named<T> = Readonly<Record<string, T>>

/** Numbers of the last minutes, a list for each; null is not known. */
export type History = Readonly<
  Record<
    | 'requests'
    | '1xx'
    | '2xx'
    | '3xx'
    | '4xx'
    | '5xx'
    | 'received'
    | 'sent'
    | 'accepted'
    | 'active'
    | 'idle'
    | 'p50'
    | 'p95'
    | 'p99'
    | 'busy'
    | 'delay',
    readonly (number | null)[]
  >
> & { readonly at: readonly number[] }

/** Each resource that is asked for, by its path below the API. */
export interface Resources {
  'viaduct/access': { readonly write: boolean }
  'viaduct/history': History
  '9/nginx': Nginx
  '9/connections': Connections
  '9/ssl': Tls
  '9/slabs/': Named<Slab>
  '9/resolvers/': Named<Resolver>
  '9/http/requests': { readonly total: number; readonly current: number }
  '9/http/server_zones/': Named<Zone>
  '9/http/location_zones/': Named<Zone>
  '9/http/upstreams/': Named<Group>
  '9/http/limit_reqs/': Named<LimitReq>
  '9/http/limit_conns/': Named<LimitConn>
  'viaduct/zones': { readonly servers: Named<Timed>; readonly locations: Named<Timed> }
  'viaduct/upstreams': Named<readonly PeerTimes[]>
  'viaduct/caches': Named<Cache>
  'viaduct/workers': readonly Worker[]
  'viaduct/reloads': Reloads
  'viaduct/certificates': readonly Certificate[]
  'viaduct/top': Top
  'viaduct/requests?count=200': Samples
}

export type ResourcePath = keyof Resources
