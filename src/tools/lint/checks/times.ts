/** Numbers that contradict each other: time-outs, lifetimes, sizes of the server and of PHP behind it. */
import { parseMilliseconds, parseOffset } from '../../../config/units.ts'
import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { GATEWAYS } from '../facts.ts'

const CACHES = ['proxy', 'fastcgi', 'uwsgi', 'scgi'] as const
/** `inactive` of a cache that does not say. */
const INACTIVE_DEFAULT = '10m'

/** Two times of which the first makes sense only up to the second. */
interface Pair {
  readonly less: string
  readonly more: string
  readonly so: string
}

const PAIRS: readonly Pair[] = [
  { less: 'lingering_timeout', more: 'lingering_time', so: 'a client is never waited for that long' },
  { less: 'keepalive_min_timeout', more: 'keepalive_timeout', so: 'a connection is never kept that long' },
  { less: 'keepalive_timeout', more: 'keepalive_time', so: 'a connection is never kept that long' },
  ...GATEWAYS.map((prefix) => ({
    less: `${prefix}_connect_timeout`,
    more: `${prefix}_next_upstream_timeout`,
    so: 'when it is over, no other server is tried any more',
  })),
]

export const timeChecks: readonly Check[] = [
  {
    id: 'timeouts_contradict',
    level: 'low',
    title: 'two time-outs of which one makes the other useless',
    why: 'The shorter one is always over first, so that the longer one never has the effect that it was written for.',
    advice: 'Decide which one is meant, and set the other accordingly.',
    bad: 'location / { proxy_pass http://127.0.0.1:1; proxy_connect_timeout 30s; proxy_next_upstream_timeout 10s; }',
    good: 'location / { proxy_pass http://127.0.0.1:1; proxy_connect_timeout 2s; proxy_next_upstream_timeout 10s; }',
    find(model, report) {
      for (const pair of PAIRS) {
        for (const node of model.all(pair.less, pair.more)) {
          const problem = contradiction(model, node, pair)
          if (problem !== undefined) report(node, problem, { word: node.args[0] })
        }
      }
      for (const node of model.all('keepalive_timeout')) {
        const [kept, told] = node.words.map(parseMilliseconds)
        if (kept !== undefined && told !== undefined && told > kept)
          report(node, `clients are told ${node.words[1]}, and the connection ends after ${node.first}`, {
            word: node.args[1],
          })
      }
    },
  },
  {
    id: 'cache_inactive_too_short',
    level: 'low',
    title: 'responses are removed long before they expire',
    why: 'What nobody asks for during "inactive" (10 minutes unless set) is removed, however long it is valid, and cannot be used as stale either.',
    advice: 'Set inactive= of the cache to what is meant to be kept: as long as the longest valid time.',
    bad: 'http { proxy_cache_path /tmp/c keys_zone=c:1m; server { location / { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_valid 200 7d; } } }',
    good: 'http { proxy_cache_path /tmp/c keys_zone=c:1m inactive=7d; server { location / { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_valid 200 7d; } } }',
    find(model, report) {
      for (const prefix of CACHES) {
        for (const node of model.all(`${prefix}_cache_valid`)) {
          const place = node.parent!
          const zone = (
            model.effective(place, `${prefix}_cache`).at(-1) ??
            place.inside().find(({ name }) => name === `${prefix}_cache`)
          )?.first
          const path = model
            .all(`${prefix}_cache_path`)
            .find(({ words }) => words.some((word) => word.startsWith(`keys_zone=${zone}:`)))
          if (path === undefined) continue
          const inactive =
            path.words.find((word) => word.startsWith('inactive='))?.slice('inactive='.length) ?? INACTIVE_DEFAULT
          const valid = node.words.at(-1)!
          const [keptMs, validMs] = [parseMilliseconds(inactive), parseMilliseconds(valid)]
          // Up to an hour it is a matter of taste.
          if (keptMs !== undefined && validMs !== undefined && validMs > 3_600_000 && validMs >= 6 * keptMs)
            report(node, `valid for ${valid}, and removed after ${inactive} without a request (line ${path.at.line})`, {
              word: node.args.at(-1),
            })
        }
      }
    },
  },
  {
    id: 'php_limits_contradict',
    level: 'low',
    title: 'PHP may take longer, or more, than the server lets through',
    why: 'The client gets 504 or 413 from the server while PHP, by its own limits, would go on.',
    advice: 'Set fastcgi_read_timeout above max_execution_time, client_max_body_size to post_max_size.',
    bad: 'location ~ \\.php$ { try_files $uri =404; fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_param PHP_VALUE "max_execution_time=300"; }',
    good: 'location ~ \\.php$ { try_files $uri =404; fastcgi_pass 127.0.0.1:9000; fastcgi_read_timeout 310s; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_param PHP_VALUE "max_execution_time=300"; }',
    find(model, report) {
      if (model.torn) return
      for (const node of model.all('fastcgi_param')) {
        if (!/^PHP_(?:ADMIN_)?VALUE$/.test(node.first)) continue
        const values = node.words[1] ?? ''
        const place = node.parent!
        const seconds = Number(/\bmax_execution_time\s*=\s*(\d+)/.exec(values)?.[1] ?? 0)
        const timeoutMs = parseMilliseconds(model.setting(place, 'fastcgi_read_timeout') ?? '') ?? 0
        if (seconds * 1000 > timeoutMs && seconds > 0)
          report(node, `PHP may run for ${seconds} s, and is waited for ${timeoutMs / 1000} s (fastcgi_read_timeout)`, {
            word: node.args[1],
          })
        const size = /\b(?:post_max_size|upload_max_filesize)\s*=\s*(\d+[kmg]?)/i.exec(values)?.[1]
        const limit = model.setting(place, 'client_max_body_size') ?? '1m'
        if (size !== undefined && parseOffset(limit) !== 0 && (parseOffset(size) ?? 0) > (parseOffset(limit) ?? 0))
          report(node, `PHP takes ${size}, and the server lets ${limit} through (client_max_body_size)`, {
            word: node.args[1],
          })
      }
    },
  },
  {
    id: 'fastcgi_request_buffering_off',
    level: 'low',
    title: 'uploads go to PHP as they come',
    why: 'Each slow upload occupies a process of php-fpm for as long as it takes; a body of unknown length (chunked) has no CONTENT_LENGTH, and PHP takes it for an empty one.',
    advice: 'Leave fastcgi_request_buffering on.',
    bad: 'location ~ \\.php$ { try_files $uri =404; fastcgi_pass unix:/run/php/php-fpm.sock; fastcgi_request_buffering off; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }',
    good: 'location ~ \\.php$ { try_files $uri =404; fastcgi_pass unix:/run/php/php-fpm.sock; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }',
    find(model, report) {
      for (const node of model.all('fastcgi_request_buffering')) {
        const passes = [node.parent!, ...node.parent!.inside()].flatMap((one) => one.own('fastcgi_pass'))
        const isPhp = passes.some((pass) => isPhpPass(pass))
        if (node.first === 'off' && isPhp) report(node, 'slow uploads occupy processes of php-fpm')
      }
    },
  },
  {
    id: 'fastcgi_keep_conn',
    level: 'low',
    title: 'kept connections to FastCGI, switched on by half',
    why: 'keepalive of the group keeps nothing unless fastcgi_keep_conn tells the application to leave connections open. And each one that is kept occupies a process of php-fpm while it is idle.',
    advice:
      'Set both, with fewer connections (times workers) than pm.max_children; or neither: over a Unix socket connecting costs next to nothing.',
    bad: 'upstream php { server 127.0.0.1:9000; keepalive 8; } server { location ~ \\.php$ { try_files $uri =404; fastcgi_pass php; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; } }',
    good: 'upstream php { server 127.0.0.1:9000; keepalive 8; } server { location ~ \\.php$ { try_files $uri =404; fastcgi_pass php; fastcgi_keep_conn on; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; } }',
    find(model, report) {
      const kept = new Map(
        model
          .all('upstream')
          .filter((group) => group.has('keepalive'))
          .map((group) => [group.first, group]),
      )
      for (const node of model.all('fastcgi_pass')) {
        const group = kept.get(node.first)
        const keeps = model.setting(node.parent!, 'fastcgi_keep_conn') === 'on'
        if (group !== undefined && !keeps)
          report(node, `no connection to "${node.first}" is kept: fastcgi_keep_conn is off`, { word: node.args[0] })
      }
    },
  },
]

/** What is wrong with the times in effect where `node` stands, if it is the nearer one of both. */
function contradiction(model: Model, node: Node, { less, more, so }: Pair): string | undefined {
  const place = node.parent!
  if (node.context === 'upstream') return undefined
  // With both in one block the one that is too long is told of.
  if (node.name === more && place.has(less)) return undefined
  const [short, long] = [less, more].map((name) =>
    name === node.name ? node.first : (model.setting(place, name) ?? '').split(' ')[0],
  )
  const [shortMs, longMs] = [parseMilliseconds(short ?? ''), parseMilliseconds(long ?? '')]
  if (shortMs === undefined || longMs === undefined || longMs === 0 || shortMs <= longMs) return undefined
  return `${less} ${short} is longer than ${more} ${long}: ${so}`
}

function isPhpPass(node: Node): boolean {
  return /php/i.test(node.first + (node.up('location')?.text ?? ''))
}
