/** What a scenario of the benchmark is: one configuration for both servers and one kind of request. */

/** One thing to measure. In its texts `%%PORT%%`, `%%ORIGIN%%` (address of the back end) and `%%DIR%%` are replaced. */
export interface Scenario {
  /** The word that selects it. */
  readonly name: string
  readonly title: string
  /** What stands in `http { }`, the same for both servers. */
  readonly http: string
  readonly target: string
  readonly connections?: number
  readonly headers?: readonly string[]
  /** What goes to and fro is measured by `partners/<name>.ts`, which is the back end too; else `wrk` asks for `target`. */
  readonly partner?: string
  /** Files below `%%DIR%%/html`. */
  readonly files?: Readonly<Record<string, string>>
  /** Requests per CPU second, as a multiple of nginx's, that is expected at least. */
  readonly expected?: number
}

/** A `server` that does only what is measured. */
export function serverBlock(inner: string): string {
  return `access_log off; keepalive_requests 1000000; server { listen 127.0.0.1:%%PORT%%; ${inner} }`
}

/** The back end as an upstream that keeps connections. */
export const BACKEND = 'upstream backend { server %%ORIGIN%%; keepalive 64; keepalive_requests 1000000; }\n'

/** Passes to the back end over kept connections; what nginx does without being told since 1.29.7 is spelt out. */
export const PASS = 'proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";'

/** The file cache of a production configuration. */
export const FILE_CACHE =
  'open_file_cache max=10000 inactive=20s; open_file_cache_valid 30s; open_file_cache_min_uses 2; open_file_cache_errors on;'
