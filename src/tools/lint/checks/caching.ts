/** Caches, limits and compression: what is kept from whom, and conditions that never hold. */

import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { HANDLERS, headOf, variablesIn } from '../facts.ts'

const CACHES = ['proxy', 'fastcgi', 'uwsgi', 'scgi'] as const

interface CachedPlace {
  readonly prefix: (typeof CACHES)[number]
  readonly place: Node
  readonly cache: Node
}

/** The places whose responses are cached. */
function* cached(model: Model): Generator<CachedPlace> {
  for (const prefix of CACHES) {
    for (const pass of model.all(`${prefix}_pass`)) {
      const cache = model.effective(pass.parent!, `${prefix}_cache`).at(-1)
      if (cache !== undefined && cache.first !== 'off') yield { prefix, place: pass.parent!, cache }
    }
  }
}

/** What keys are made of in a place. */
function keyOf(model: Model, { prefix, place }: CachedPlace): string {
  return model.setting(place, `${prefix}_cache_key`) ?? '$scheme$proxy_host$request_uri'
}

export const cachingChecks: readonly Check[] = [
  {
    id: 'cache_session_leak',
    level: 'high',
    title: "one user's session cookie is stored for all",
    why: 'With Set-Cookie ignored, responses that set a cookie are stored, cookie included: the next user gets the session of the first.',
    advice: 'Hide the field too: `proxy_hide_header Set-Cookie`.',
    bad: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; server { listen 80; location / { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_valid 1m; proxy_ignore_headers Set-Cookie; } } }',
    good: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; server { listen 80; location / { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_valid 1m; proxy_ignore_headers Set-Cookie; proxy_hide_header Set-Cookie; } } }',
    find(model, report) {
      for (const { prefix, place } of cached(model)) {
        const ignores = model
          .effective(place, `${prefix}_ignore_headers`)
          .find(({ words }) => words.some((word) => /^set-cookie$/i.test(word)))
        const hides = model.effective(place, `${prefix}_hide_header`).some(({ first }) => /^set-cookie$/i.test(first))
        if (ignores === undefined || hides) continue
        const text = `${prefix}_hide_header Set-Cookie;`
        report(ignores, 'responses are stored with their cookies and sent to other users', {
          fix: { what: `add "${text}"`, edits: [{ kind: 'line', node: ignores, text }] },
        })
      }
    },
  },
  {
    id: 'cache_key_without_host',
    level: 'medium',
    title: 'a cache key that does not tell hosts apart',
    why: 'Two sites with the same path share one stored response; whoever sends another Host fills the cache for all.',
    advice: 'Begin the key with $scheme$host (the default has the back end in it).',
    bad: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; proxy_cache_key $request_uri; server { listen 80; server_name a.example b.example; location / { proxy_pass http://127.0.0.1:1; proxy_cache c; } } }',
    good: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; proxy_cache_key $scheme$host$request_uri; server { listen 80; location / { proxy_pass http://127.0.0.1:1; proxy_cache c; } } }',
    find(model, report) {
      for (const found of cached(model)) {
        const key = model.effective(found.place, `${found.prefix}_cache_key`).at(-1)
        if (key === undefined) continue
        const names = variablesIn(key.first)
        const tells =
          names.some((name) => /host|server_name|upstream|cache_key|key/.test(name)) || !/\$/.test(key.first)
        const names2 =
          found.place
            .up('server')
            ?.own('server_name')
            .flatMap(({ words }) => words) ?? []
        if (!tells && names.length > 0 && names2.length !== 1)
          report(key, `"${key.first}" is the same for every host`, { word: key.args[0] })
      }
    },
  },
  {
    id: 'cache_authorization',
    level: 'low',
    title: 'responses to requests with a password may be stored',
    why: 'The cache does not look at Authorization: what one user gets may be answered to another, when the back end lets it be stored.',
    advice: 'Pass such requests by: `proxy_cache_bypass $http_authorization; proxy_no_cache $http_authorization;`.',
    bad: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; server { listen 80; location /api/ { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_valid 200 10m; } } }',
    good: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; server { listen 80; location /api/ { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_valid 200 10m; proxy_cache_bypass $http_authorization; proxy_no_cache $http_authorization; } } }',
    find(model, report) {
      for (const found of cached(model)) {
        const { prefix, place, cache } = found
        // Only what is stored without the back end's word.
        if (model.effective(place, `${prefix}_cache_valid`).length === 0) continue
        const asked = ['cache_bypass', 'no_cache']
          .flatMap((name) => model.effective(place, `${prefix}_${name}`))
          .flatMap(({ words }) => words)
        const texts = [keyOf(model, found), ...asked].join(' ')
        if (!/authorization|cookie|auth|session|nocache|no_cache|bypass|skip|user/i.test(texts))
          report(cache, 'requests with Authorization share what is stored')
      }
    },
  },
  {
    id: 'purge_key_mismatch',
    level: 'medium',
    title: 'a purge that finds nothing',
    why: 'A key with $request_method in it is another one for PURGE than for GET.',
    advice: 'Leave the method out of the key, or write GET in the one for purges.',
    bad: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; map $request_method $p { PURGE 1; default 0; } server { listen 80; location / { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_key $request_method$host$request_uri; proxy_cache_purge $p; } } }',
    good: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; map $request_method $p { PURGE 1; default 0; } server { listen 80; location / { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_key $host$request_uri; proxy_cache_purge $p; } } }',
    find(model, report) {
      for (const found of cached(model)) {
        const purge = model.effective(found.place, `${found.prefix}_cache_purge`).at(-1)
        if (purge === undefined || purge.first === 'off') continue
        if (/\$\{?request_method\b/.test(keyOf(model, found)))
          report(purge, 'the key has the method in it: PURGE never finds what GET has stored')
      }
    },
  },
  {
    id: 'gzip_never',
    level: 'low',
    title: 'compression is set up and off',
    why: 'gzip is off by default: gzip_types and the like change nothing.',
    advice: 'Say `gzip on`.',
    bad: 'events {} http { gzip_types application/json; server { listen 80; } }',
    good: 'events {} http { gzip on; gzip_types application/json; server { listen 80; } }',
    find(model, report) {
      if (!model.complete) return
      if (model.all('gzip').some(({ first }) => first === 'on')) return
      const [node] = model.all('gzip_types', 'gzip_min_length', 'gzip_comp_level')
      if (node !== undefined) report(node, 'gzip is on nowhere')
    },
  },
  {
    id: 'gzip_types_missing',
    level: 'low',
    title: 'only HTML is compressed',
    why: 'Without gzip_types, CSS, JavaScript and JSON go as they are.',
    advice: 'Name the types: `gzip_types text/css application/javascript application/json image/svg+xml;`.',
    bad: 'events {} http { gzip on; server { listen 80; } }',
    good: 'events {} http { gzip on; gzip_types text/css; server { listen 80; } }',
    find(model, report) {
      if (!model.complete) return
      for (const node of model.all('gzip')) {
        if (node.first !== 'on' || model.effective(node.parent!, 'gzip_types').length > 0) continue
        if (!node.parent!.inside().some(({ name }) => name === 'gzip_types'))
          report(node, 'of all types only text/html is compressed (gzip_types)')
      }
    },
  },
  {
    id: 'limit_req_status',
    level: 'info',
    title: 'a limit that looks like a failure',
    why: 'Whoever is over the limit gets 503, which monitors and clients take for an outage.',
    advice: 'Say `limit_req_status 429;` (and limit_conn_status).',
    bad: 'events {} http { limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s; server { listen 80; location / { limit_req zone=a; } } }',
    good: 'events {} http { limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s; limit_req_status 429; server { listen 80; location / { limit_req zone=a; } } }',
    find(model, report) {
      if (!model.complete) return
      for (const name of ['limit_req', 'limit_conn']) {
        for (const node of model.all(name)) {
          if (model.effective(node.parent!, `${name}_status`).length === 0)
            report(node, `over the limit, clients get 503 (${name}_status)`)
        }
      }
    },
  },
  {
    id: 'limit_zone_constant_key',
    level: 'medium',
    title: 'one limit for everybody together',
    why: 'A key without variables, or one that is the same for all, counts all clients as one: a single client locks all others out.',
    advice: 'Use $binary_remote_addr.',
    bad: 'limit_req_zone $server_port zone=a:1m rate=1r/s;',
    good: 'limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;',
    find(model, report) {
      for (const node of model.all('limit_req_zone', 'limit_conn_zone')) {
        const names = variablesIn(node.first)
        const isOne = names.every((name) =>
          ['server_port', 'scheme', 'server_addr', 'server_protocol', 'hostname', 'pid'].includes(name),
        )
        if (isOne) report(node, `"${node.first}" is the same for all clients`, { word: node.args[0] })
      }
    },
  },
  {
    id: 'upload_limit_default',
    level: 'low',
    title: 'uploads of more than a megabyte are refused',
    why: 'client_max_body_size is 1m by default; larger requests are answered 413.',
    advice: 'Set client_max_body_size for the location.',
    bad: 'events {} http { server { listen 80; location /upload { proxy_pass http://127.0.0.1:1; } } }',
    good: 'events {} http { server { listen 80; location /upload { client_max_body_size 50m; proxy_pass http://127.0.0.1:1; } } }',
    find(model, report) {
      if (!model.complete) return
      for (const node of model.all('location')) {
        const name = headOf(node)?.name ?? ''
        if (!/upload|import|attachment/i.test(name) || !node.has(...HANDLERS.filter((one) => one.endsWith('_pass'))))
          continue
        if (model.effective(node, 'client_max_body_size').length === 0)
          report(node, 'requests of more than 1m are answered 413')
      }
    },
  },
  {
    id: 'body_size_unlimited',
    level: 'info',
    title: 'requests of any size',
    why: 'With client_max_body_size 0 one client can fill the disk (bodies are buffered in files).',
    advice: 'Set the largest size that the application takes.',
    bad: 'server { listen 80; client_max_body_size 0; }',
    good: 'server { listen 80; client_max_body_size 100m; location /v2/ { client_max_body_size 0; proxy_request_buffering off; proxy_pass http://127.0.0.1:1; } }',
    find(model, report) {
      for (const node of model.all('client_max_body_size')) {
        const streams = model.setting(node.parent!, 'proxy_request_buffering') === 'off'
        if (Number(node.first) === 0 && !streams && node.parent!.name !== 'location')
          report(node, 'a body of any size is taken')
      }
    },
  },
]
