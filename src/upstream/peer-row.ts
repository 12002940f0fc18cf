/**
 * The row of numbers that is the state of a peer, column by column, and what a `server` line says about it.
 *
 *   | conns | fails | effective weight | current weight | health | accessed |   what choices look at
 *   | header ms | response ms | in-flight ms | in-flight | in-flight sum | in-flight at |   averages of least_time
 *   | checked | warm since | rises | falls | checks | failed checks | times unhealthy | last check |    active checks
 *
 * The buffer has the rows of several peers column by column, so that a choice among a thousand of them reads a few short
 * runs of numbers. The first number behind the columns in use counts the changes of all peers that matter to a choice:
 * who has found that all is well need not look again before it moves.
 */

/** Connections in use. */
export const CONNS = 0
/** Failures within `fail_timeout`. */
export const FAILS = 1
/** The weight that is left after failures. */
export const EFFECTIVE = 2
/** Where smooth round robin stands. */
export const CURRENT = 3
/** One of the health values below. */
export const HEALTH = 4
/** Second of the last failure. */
export const ACCESSED = 5
/** Average time to the head of a response. */
export const HEADER_MS = 6
/** Average time to its last byte. */
export const RESPONSE_MS = 7
/** Time that requests under way have taken so far. */
export const INFLIGHT_MS = 8
/** Requests under way. */
export const INFLIGHT = 9
/** Sum of the moments at which they began. */
export const INFLIGHT_SUM = 10
/** The moment that the sum counts from. */
export const INFLIGHT_AT = 11
/** Second of the last look at a server that failed. */
export const CHECKED = 12
/** When the server recovered, for `slow_start`. */
export const WARM_SINCE = 13
/** Checks that passed in a row. */
export const RISES = 14
/** Checks that failed in a row. */
export const FALLS = 15
/** Active checks in all. */
export const CHECKS = 16
/** Those that failed. */
export const CHECKS_FAILED = 17
/** Times that the server became unhealthy. */
export const UNHEALTHY_COUNT = 18
/** Whether the last check passed. */
export const LAST_PASSED = 19
/** Column of which the first place is the number of changes. */
export const CHANGES = 20
/** Numbers per peer. */
export const PEER_ROW = 24

/** Health: nothing is known against the server. */
export const HEALTHY = 0
/** Health: active checks failed; no requests until they pass. */
export const UNHEALTHY = 1
/** Health: a mandatory check has not come to a result yet; no requests until then. */
export const CHECKING = 2

/** What a `server` line says. */
export interface PeerOptions {
  readonly weight: number
  /** Most connections at once; 0: no limit. */
  readonly maxConns: number
  /** Failures within `failTimeoutS` that make the server unavailable; 0 turns the count off. */
  readonly maxFails: number
  readonly failTimeoutS: number
  readonly down: boolean
  /** Takes only requests that are bound to it by `sticky`. */
  readonly drain: boolean
  /** What `sticky` calls the server; empty: the MD5 of its address. */
  readonly route: string
  /** After a recovery the server's share grows to the whole during this time; 0: at once. */
  readonly slowStartMs: number
}

/** Where connections to a peer go. */
export interface PeerAddress {
  /** `127.0.0.1:8000`, `[::1]:8000` or `unix:/path`: what `$upstream_addr` tells. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly path: string
}
