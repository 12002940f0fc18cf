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
  /** `https://`; a certificate is made as `%%DIR%%/cert.pem` with `key.pem`: of ECDSA over P-256, or of RSA with 2048 bits. */
  readonly tls?: boolean | 'rsa'
  /** `h2load` asks instead of `wrk`. */
  readonly h2?: H2Load
  /** The back end of gRPC, which sends back what it gets; else the ordinary one. */
  readonly grpc?: boolean
  /** php-fpm is the back end, and `%%PHP%%` the folder of its scripts. */
  readonly php?: boolean
  /** What goes to and fro is measured by `partners/<name>.ts`, which is the back end too; else `wrk` asks for `target`. */
  readonly partner?: string
  /** Files below `%%DIR%%/html`. */
  readonly files?: Readonly<Record<string, string>>
  /** Requests per CPU second, as a multiple of nginx's, that is expected at least on io_uring. */
  readonly expected?: number
}

/** How HTTP/2 is asked. */
export interface H2Load {
  /** Requests at a time on each connection. */
  readonly streams: number
  /** Sent as a gRPC message. */
  readonly message?: string
}

/** Speaks TLS. */
export const CERTIFICATE = 'ssl_certificate %%DIR%%/cert.pem; ssl_certificate_key %%DIR%%/key.pem;'

/** A `server` that does only what is measured. */
export function serverBlock(inner: string, listen = ''): string {
  return `access_log off; keepalive_requests 1000000; server { listen 127.0.0.1:%%PORT%% ${listen}; ${inner} }`
}

/** The back end as an upstream that keeps connections. */
export const BACKEND = 'upstream backend { server %%ORIGIN%%; keepalive 64; keepalive_requests 1000000; }\n'

/** Passes to the back end over kept connections; what nginx does without being told since 1.29.7 is spelt out. */
export const PASS = 'proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";'

/** The file cache of a production configuration. */
export const FILE_CACHE =
  'open_file_cache max=10000 inactive=20s; open_file_cache_valid 30s; open_file_cache_min_uses 2; open_file_cache_errors on;'
