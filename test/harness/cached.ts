/** A server with a cache before one back end, for tests of what is kept and what is answered. */
import type { Peer } from './peer.ts'
import type { Server } from './server.ts'

/** A moment that is long past: whoever is told to keep a response until then keeps one that has expired. */
export const EXPIRED = 'X-Accel-Expires: @1'

/** One location with a cache; `more` stands in it. `$upstream_cache_status` is told in `X-Cache`. */
export function cachedConf(peer: Peer, more = '', http = ''): string {
  return `user root; worker_processes 1; http { proxy_cache_path %%DIR%%/cache levels=1:2 keys_zone=one:1m; ${http}
  server { listen 127.0.0.1:%%PORT_0%%; add_header X-Cache $upstream_cache_status always;
    location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_cache one; ${more} } } }`
}

/** Asks for `path` on a connection of its own; `fields` have no line ends. */
export function ask(server: Server, path: string, fields: readonly string[] = [], method = 'GET'): Promise<string> {
  return server.raw([`${method} ${path} HTTP/1.1`, 'Host: x', 'Connection: close', ...fields, '', ''].join('\r\n'))
}

/** Asks, and answers what the cache said and the body: `HIT hello`. */
export async function outcome(...request: Parameters<typeof ask>): Promise<string> {
  return summary(await ask(...request))
}

/** The same of a response. */
function summary(response: string): string {
  const status = /^X-Cache: (.*)\r$/m.exec(response)?.[1] ?? '-'
  return `${status} ${response.slice(response.indexOf('\r\n\r\n') + 4)}`
}
