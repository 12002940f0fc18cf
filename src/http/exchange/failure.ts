/** What can go wrong in an attempt, as bits of `proxy_next_upstream`, with what the client gets when nothing is left to try. */

import { type WireFailure, wireFailureText } from '../../net/wire-failure.ts'

/** Bits of `proxy_next_upstream`. */
export const ERROR = 1
export const TIMEOUT = 2
export const INVALID_HEADER = 4
export const HTTP_500 = 8
export const HTTP_502 = 16
export const HTTP_503 = 32
export const HTTP_504 = 64
export const HTTP_403 = 128
export const HTTP_404 = 256
export const HTTP_429 = 512
export const NON_IDEMPOTENT = 1024
/** No server is left: never retried. */
export const NO_PEER = 2048
/** `allow_upstream` does not allow the server. */
export const DENIED = 4096

const NAMES: Readonly<Record<string, number>> = {
  error: ERROR,
  timeout: TIMEOUT,
  invalid_header: INVALID_HEADER,
  non_idempotent: NON_IDEMPOTENT,
  http_500: HTTP_500,
  http_502: HTTP_502,
  http_503: HTTP_503,
  http_504: HTTP_504,
  http_403: HTTP_403,
  http_404: HTTP_404,
  http_429: HTTP_429,
  denied: DENIED,
  /** nginx takes the word, for it shares a list with what stale responses are used for. */
  updating: 0,
  off: 0,
}

/** The bits of a `next_upstream` list; `off` means none. */
export function failureMask(names: readonly string[]): number {
  if (names.includes('off')) return 0
  return names.reduce((mask, name) => mask | (NAMES[name] ?? 0), 0)
}

/** The bit of a status that may be retried, or 0. */
export function statusFailure(status: number): number {
  switch (status) {
    case 500:
      return HTTP_500
    case 502:
      return HTTP_502
    case 503:
      return HTTP_503
    case 504:
      return HTTP_504
    case 403:
      return HTTP_403
    case 404:
      return HTTP_404
    case 429:
      return HTTP_429
    default:
      return 0
  }
}

/** The status that answers a failure when nothing is left to try. */
export function failureStatus(kind: number): number {
  switch (kind) {
    case TIMEOUT:
    case HTTP_504:
      return 504
    case HTTP_500:
      return 500
    case HTTP_503:
      return 503
    case HTTP_403:
      return 403
    case HTTP_404:
      return 404
    case HTTP_429:
      return 429
    default:
      return 502
  }
}

/** Failures that say nothing against the server (ngx_http_upstream_next: NGX_PEER_NEXT). */
export function blamesPeer(kind: number): boolean {
  return kind !== HTTP_403 && kind !== HTTP_404
}

/** What to log of a connection that ended, because of `failure` or without one, while something was expected of it. */
export function endText(failure: WireFailure | undefined): string {
  return failure === undefined ? 'upstream prematurely closed connection' : wireFailureText(failure)
}
