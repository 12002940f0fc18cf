/** The words of `next_upstream` and `cache_use_stale`, which families share (their `*_next_upstream_masks` in nginx). */
import { bits } from '../../../config/args.ts'

const CGI = [
  'error',
  'timeout',
  'invalid_header',
  'non_idempotent',
  'http_500',
  'http_503',
  'http_403',
  'http_404',
  'http_429',
] as const
const HTTP = [...CGI, 'http_502', 'http_504'] as const

/** For back ends that speak HTTP. */
export const httpStale = bits(...HTTP, 'updating', 'off') // tidy: once, at the start
/** For FastCGI, uwsgi and SCGI. */
export const cgiStale = bits(...CGI, 'updating', 'off') // tidy: once, at the start
/** nginx takes `updating` here, for a cache shares the list; it means nothing. gRPC has no cache. */
export const httpNext = bits(...HTTP, 'denied', 'updating', 'off') // tidy: once, at the start
export const cgiNext = bits(...CGI, 'denied', 'updating', 'off') // tidy: once, at the start
export const grpcNext = bits(...HTTP, 'denied', 'off') // tidy: once, at the start
