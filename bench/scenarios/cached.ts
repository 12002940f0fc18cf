/** Responses out of the cache: from memory, from larger files, compressed, and the way in. */
import { BACKEND, PASS, type Scenario, serverBlock } from '../scenario.ts'

const PATH = 'proxy_cache_path %%DIR%%/cache levels=1:2 keys_zone=one:10m max_size=1g use_temp_path=off;\n'
const CACHE = 'proxy_cache one; proxy_cache_valid 200 10m; proxy_ignore_headers Cache-Control Expires Set-Cookie;'

function cached(inner: string): string {
  return PATH + BACKEND + serverBlock(`location / { ${PASS} ${CACHE} ${inner} }`)
}

export const cachedResponses: readonly Scenario[] = [
  { name: 'cached-1kb', title: 'cache hit, 1 KB', http: cached(''), target: '/1k', expected: 1.5 },
  { name: 'cached-100kb', title: 'cache hit, 100 KB', http: cached(''), target: '/100k', expected: 1.5 },
  {
    name: 'cached-gzip',
    title: 'cache hit of a 50 KB page with gzip',
    http: cached('gzip on; gzip_types *; gzip_comp_level 6; gzip_vary on; gzip_proxied any;'),
    target: '/page',
    headers: ['Accept-Encoding: gzip'],
    expected: 30,
  },
  {
    name: 'cache-miss',
    title: 'cache miss, 1 KB',
    // Each request has a key of its own, and the cache stays small.
    http: cached('proxy_cache_key $request_id;').replace('max_size=1g', 'max_size=10m'),
    target: '/1k',
    expected: 0.75,
  },
]
