/** Cached responses: what decides whether one is kept, for how long, and who is answered with it. */
import { type Answer, ask, type Case, type Group } from '../case.ts'

const http = `
proxy_cache_path %%DIR%%/cache keys_zone=c:1m levels=1:2; proxy_cache_path %%DIR%%/cache2 keys_zone=d:1m use_temp_path=off;
map $upstream_cache_status $seen { default $upstream_cache_status; }
map $arg_nc $nc { default $arg_nc; } map $arg_bp $bp { default $arg_bp; }
server { listen 127.0.0.1:%%PORT_0%%; server_name h; proxy_cache c; proxy_cache_key $uri; proxy_ignore_client_abort on;
  add_header X-Cache "$upstream_cache_status" always; proxy_set_header Connection "";
  location / { proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location /valid/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 200 302 1h; proxy_cache_valid 404 1h; }
  location /any/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid any 1h; }
  location /hour/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; }
  location /zero/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 200 0; }
  location /post/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_cache_methods POST; }
  location /head-off/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_cache_convert_head off; proxy_cache_key $request_method$uri; }
  location /uses/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_cache_min_uses 2; }
  location /no-cache/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_no_cache $nc $http_x_nc; }
  location /bypass/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_cache_bypass $bp $http_x_bp; }
  location /off/ { proxy_cache off; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; }
  location /ignore/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires; }
  location /stale/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_use_stale error timeout invalid_header http_500 http_502 http_503 http_504 http_403 http_404 http_429; proxy_cache_valid 404 0; }
  location /stale-500/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_use_stale http_500; }
  location /stale-off/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_use_stale off; }
  location /revalidate/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_revalidate on; }
  location /reval-hour/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_revalidate on; proxy_cache_valid 200 1h; proxy_ignore_headers Cache-Control; }
  location /lock/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_cache_lock on; }
  location /updating/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_use_stale updating; proxy_cache_background_update on; }
  location /intercept/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid any 1h; proxy_intercept_errors on; error_page 404 /page.html; error_page 500 =200 @five; }
  location = /page.html { proxy_cache off; return 200 "page $upstream_cache_status\\n"; } location @five { proxy_cache off; return 200 "five\\n"; }
  location /range/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 200 206 1h; proxy_cache_max_range_offset 10; }
  location /force/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 200 206 1h; proxy_force_ranges on; }
  location /hide/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_hide_header X-A; proxy_pass_header X-Accel-Expires; proxy_pass_header Server; }
  location /redirect/ { proxy_pass http://127.0.0.1:%%PORT_6%%/b/; proxy_cache_valid any 1h; proxy_redirect default; proxy_cookie_path / /c; proxy_ignore_headers Set-Cookie; }
  location /accel/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; } location /inside/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; }
  location /unbuffered/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; proxy_buffering off; }
  location /second/ { proxy_cache d; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any; }
  location /store/ { proxy_cache off; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_store %%DIR%%/stored$uri; proxy_store_access user:rw group:r all:r; }
  location /stored/ { proxy_cache off; alias %%DIR%%/stored/; add_header Last-Modified ""; etag off; }
  location /store-on/ { proxy_cache off; root %%DIR%%/on; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_store on; }
  location /on/ { proxy_cache off; alias %%DIR%%/on/; add_header Last-Modified ""; etag off; }
  location /mirror-store/ { proxy_cache off; alias %%DIR%%/fetch/; error_page 404 = /fetch$uri; }
  location /ssi/ { ssi on; ssi_types *; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; }
  location /auth/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; auth_basic r; auth_basic_user_file %%DIR%%/htpasswd; }
  location /etag-off/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; etag off; if_modified_since off; }
  location /cond/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_cache_valid 1h; if_modified_since before; expires 1h; }
}`

/** A request on a kept connection. */
function get(target: string, fields: readonly string[] = [], method = 'GET', body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`]
  return [`${method} ${target} HTTP/1.1`, 'Host: h', ...length, ...fields, '', body].join('\r\n')
}

/** An answer with a length. */
function answer(body: string, fields: readonly string[] = [], status = '200 OK'): Answer {
  if (status.startsWith('204')) return { send: [`HTTP/1.1 ${status}`, ...fields, '', ''].join('\r\n') }
  return { send: [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n') }
}

let count = 0
/** Two requests for one key that nobody else asks for, and what the back end answers. */
function twice(
  place: string,
  first: readonly string[],
  second = first,
  answers: readonly Answer[] = [answer('one'), answer('two')],
): Case {
  const target = `/${place}/${++count}`
  return { send: [get(target, first), get(target, second)], answers }
}

/** The same of answers with these fields. */
function kept(place: string, fields: readonly string[], status = '200 OK'): Case {
  return twice(place, [], [], [answer('one', fields, status), answer('two', fields, status)])
}

const PAST = 'Sat, 03 Feb 2001 04:05:06 GMT'
const FUTURE = 'Sat, 03 Feb 2125 04:05:06 GMT'
const LIVES: readonly string[] = [
  'Cache-Control: max-age=60',
  'Cache-Control: max-age=0',
  'Cache-Control: max-age=',
  'Cache-Control: max-age=x',
  'Cache-Control: max-age=60x',
  'Cache-Control: max-age=-1',
  'Cache-Control: max-age="60"',
  'Cache-Control: max-age =60',
  'Cache-Control: s-maxage=60',
  'Cache-Control: s-maxage=0, max-age=60',
  'Cache-Control: max-age=0, s-maxage=60',
  'Cache-Control: no-cache',
  'Cache-Control: no-store',
  'Cache-Control: private',
  'Cache-Control: Private, max-age=60',
  'Cache-Control: private="x", max-age=60',
  'Cache-Control: no-cache="set-cookie", max-age=60',
  'Cache-Control: public',
  'Cache-Control: must-revalidate, max-age=60',
  'Cache-Control: stale-while-revalidate=60',
  'Cache-Control: max-age=60, no-cache',
  'Cache-Control: xmax-age=60',
  'Cache-Control: max-age=99999999999999999999',
  'Cache-Control:',
  'Cache-Control: MAX-AGE=60',
  `Expires: ${FUTURE}`,
  `Expires: ${PAST}`,
  'Expires: 0',
  'Expires: -1',
  'Expires: x',
  'Expires:',
  'Expires: Saturday, 03-Feb-25 04:05:06 GMT',
  'X-Accel-Expires: 60',
  'X-Accel-Expires: 0',
  'X-Accel-Expires: -1',
  'X-Accel-Expires: @1',
  'X-Accel-Expires: @9999999999',
  'X-Accel-Expires: off',
  'X-Accel-Expires: x',
  'X-Accel-Expires:',
  'X-Accel-Expires: 60s',
  'X-Accel-Expires: @x',
  'Set-Cookie: a=b',
  'Vary: *',
  'Vary: Accept-Encoding',
  'Vary: ',
  'Vary: *, Accept',
  'Vary: X-A',
  'Pragma: no-cache',
  'Content-Encoding: gzip',
  'Transfer-Encoding: identity',
  'Date: ' + PAST,
  'Age: 5000',
  'Warning: 110',
  'X-Accel-Buffering: no',
  'X-Accel-Limit-Rate: 1000000',
  'Connection: close',
  'Last-Modified: ' + PAST,
  'ETag: "e"',
]
const PAIRS: readonly (readonly string[])[] = [
  ['Cache-Control: max-age=60', `Expires: ${PAST}`],
  [`Expires: ${PAST}`, 'Cache-Control: max-age=60'],
  ['Cache-Control: no-cache', `Expires: ${FUTURE}`],
  [`Expires: ${FUTURE}`, 'Cache-Control: no-cache'],
  ['X-Accel-Expires: 60', 'Cache-Control: no-cache'],
  ['Cache-Control: no-cache', 'X-Accel-Expires: 60'],
  ['X-Accel-Expires: 0', 'Cache-Control: max-age=60'],
  ['Cache-Control: max-age=60', 'X-Accel-Expires: 0'],
  ['Cache-Control: max-age=60', 'Set-Cookie: a=b'],
  ['X-Accel-Expires: 60', 'Set-Cookie: a=b'],
  ['Cache-Control: max-age=60', 'Vary: *'],
  ['X-Accel-Expires: 60', 'Vary: *'],
  ['Cache-Control: max-age=60', 'Cache-Control: no-cache'],
  ['Cache-Control: no-cache', 'Cache-Control: max-age=60'],
  ['Cache-Control: max-age=0', 'Cache-Control: max-age=60'],
  ['X-Accel-Expires: 60', `Expires: ${PAST}`],
  [`Expires: ${PAST}`, 'X-Accel-Expires: 60'],
  [`Expires: ${PAST}`, `Expires: ${FUTURE}`],
  ['Cache-Control: max-age=0, stale-while-revalidate=60'],
  ['Cache-Control: max-age=0, stale-if-error=60'],
  ['Cache-Control: no-cache, stale-if-error=60'],
  ['Vary: A', 'Vary: B', 'Cache-Control: max-age=60'],
]
const STATUSES = [
  '200 OK',
  '201 Created',
  '204 No Content',
  '206 Partial Content',
  '301 Moved',
  '302 Found',
  '304 Not Modified',
  '307 Temporary',
  '400 Bad',
  '403 No',
  '404 Not Found',
  '410 Gone',
  '500 Bad',
  '503 No',
  '600 Odd',
]

const lives: Record<string, Case> = {
  ...Object.fromEntries(
    LIVES.flatMap((field) =>
      ['hour', 'none', 'ignore'].map((place): [string, Case] => [`${place} ${field}`, kept(place, [field])]),
    ),
  ),
  ...Object.fromEntries(
    PAIRS.flatMap((fields) =>
      ['hour', 'none'].map((place): [string, Case] => [`${place} ${fields.join(' + ')}`, kept(place, fields)]),
    ),
  ),
  ...Object.fromEntries(
    STATUSES.flatMap((status) =>
      ['valid', 'any', 'hour', 'zero', 'none'].map((place): [string, Case] => [
        `${place} ${status}`,
        kept(place, place === 'none' ? ['Cache-Control: max-age=60'] : ['Location: /x'], status),
      ]),
    ),
  ),
}

const HOUR = [
  answer('first body 0123456789', ['Last-Modified: ' + PAST, 'ETag: "e"', 'X-A: a', 'Content-Type: text/plain']),
  answer('second body'),
]
const ASKED: readonly (readonly [place: string, first: readonly string[], second: readonly string[]])[] = [
  ['hour', [], ['Range: bytes=0-4']],
  ['hour', ['Range: bytes=0-4'], []],
  ['hour', ['Range: bytes=0-4'], ['Range: bytes=5-9']],
  ['hour', [], ['Range: bytes=0-0,5-6']],
  ['hour', [], ['Range: bytes=100-']],
  ['hour', [], ['Range: x']],
  ['hour', [], ['If-Range: "e"', 'Range: bytes=0-4']],
  ['hour', [], ['If-Range: "f"', 'Range: bytes=0-4']],
  ['hour', [], ['If-Range: ' + PAST, 'Range: bytes=0-4']],
  ['hour', [], ['If-None-Match: "e"']],
  ['hour', [], ['If-None-Match: W/"e"']],
  ['hour', [], ['If-None-Match: "f"']],
  ['hour', [], ['If-None-Match: *']],
  ['hour', [], ['If-Modified-Since: ' + PAST]],
  ['hour', [], ['If-Modified-Since: ' + FUTURE]],
  ['hour', [], ['If-Match: "f"']],
  ['hour', [], ['If-Match: "e"']],
  ['hour', [], ['If-Unmodified-Since: Sat, 03 Feb 2000 04:05:06 GMT']],
  ['hour', ['If-None-Match: "e"'], []],
  ['hour', ['If-Modified-Since: ' + PAST], []],
  ['hour', ['If-Match: "f"'], []],
  ['hour', ['Cache-Control: no-cache'], ['Cache-Control: no-cache']],
  ['hour', ['Pragma: no-cache'], ['Cache-Control: max-age=0']],
  ['hour', ['Authorization: Basic eDp5'], []],
  ['hour', [], ['Authorization: Basic eDp5']],
  ['hour', ['Cookie: a=b'], ['Cookie: c=d']],
  ['hour', [], ['Cache-Control: only-if-cached']],
  ['hour', ['Cache-Control: only-if-cached'], []],
  ['range', ['Range: bytes=0-4'], []],
  ['range', ['Range: bytes=20-'], []],
  ['range', ['Range: bytes=20-'], ['Range: bytes=0-4']],
  ['range', ['Range: bytes=-4'], []],
  ['range', ['Range: bytes=0-4,20-'], []],
  ['range', ['Range: bytes=11-'], []],
  ['force', ['Range: bytes=0-4'], ['Range: bytes=0-4']],
  ['unbuffered', [], []],
  ['unbuffered', ['Range: bytes=0-4'], []],
  ['hide', [], []],
  ['second', [], ['Accept-Encoding: gzip']],
  ['second', ['Accept-Encoding: gzip'], []],
  ['second', ['Accept-Encoding: gzip'], ['Accept-Encoding: gzip', 'If-None-Match: W/"e"']],
  ['etag-off', [], ['If-None-Match: "e"']],
  ['etag-off', [], ['If-Modified-Since: ' + PAST]],
  ['cond', [], ['If-Modified-Since: ' + FUTURE]],
  ['cond', [], ['If-Modified-Since: ' + PAST]],
  ['auth', [], []],
  ['off', [], []],
  ['no-cache', ['X-NC: 1'], []],
  ['no-cache', ['X-NC: 0'], []],
  ['no-cache', ['X-NC: '], []],
  ['no-cache', [], ['X-NC: 1']],
  ['bypass', [], ['X-BP: 1']],
  ['bypass', ['X-BP: 1'], []],
  ['bypass', [], ['X-BP: 0']],
  ['uses', [], []],
  ['lock', [], []],
]
const METHODS: readonly (readonly [place: string, first: string, second: string])[] = [
  ['hour', 'HEAD', 'GET'],
  ['hour', 'GET', 'HEAD'],
  ['hour', 'HEAD', 'HEAD'],
  ['hour', 'POST', 'GET'],
  ['hour', 'GET', 'POST'],
  ['hour', 'OPTIONS', 'GET'],
  ['hour', 'DELETE', 'GET'],
  ['hour', 'GET', 'PURGE'],
  ['hour', 'FOO', 'FOO'],
  ['post', 'POST', 'POST'],
  ['post', 'GET', 'POST'],
  ['post', 'HEAD', 'GET'],
  ['head-off', 'HEAD', 'GET'],
  ['head-off', 'GET', 'HEAD'],
]
const asked: Record<string, Case> = {
  ...Object.fromEntries(
    ASKED.map(([place, first, second]): [string, Case] => [
      `${place}: ${first.join(' ')} then ${second.join(' ')}`,
      twice(place, first, second, HOUR),
    ]),
  ),
  ...Object.fromEntries(
    METHODS.map(([place, first, second]): [string, Case] => {
      const target = `/${place}/${++count}`
      const head: Answer = { send: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: head\r\n\r\n' }
      const of = (method: string, body: string): Answer =>
        method === 'HEAD' && place === 'head-off' ? head : answer(body)
      return [
        `${place}: ${first} then ${second}`,
        {
          send: [get(target, [], first), get(target, [], second), get(target)],
          answers: [of(first, 'one'), of(second, 'two'), answer('three')],
        },
      ]
    }),
  ),
}

const STALE = ['X-Accel-Expires: @1', 'ETag: "e"', 'Last-Modified: ' + PAST]
const NOT_MODIFIED: Answer = { send: 'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\nX-Accel-Expires: 60\r\n\r\n' }
const FAILURES: Readonly<Record<string, Answer>> = {
  ...Object.fromEntries(
    [
      '200 OK',
      '302 Found',
      '403 No',
      '404 Gone',
      '429 Many',
      '500 Bad',
      '501 Not',
      '502 Bad',
      '503 No',
      '504 Late',
    ].map((status) => [status, answer('failed', [], status)]),
  ),
  reset: { send: '', after: 'reset' },
  closed: { send: '', after: 'close' },
  'no head': { send: 'nonsense\r\n\r\n', after: 'close' },
  'half a body': { send: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', after: 'close' },
  '304': NOT_MODIFIED,
  '304 bare': { send: 'HTTP/1.1 304 Not Modified\r\n\r\n' },
  '304 no-store': { send: 'HTTP/1.1 304 Not Modified\r\nCache-Control: no-store\r\n\r\n' },
  '304 with new fields': {
    send: 'HTTP/1.1 304 Not Modified\r\nETag: "new"\r\nX-Accel-Expires: 60\r\nX-A: new\r\n\r\n',
  },
}
const stale: Record<string, Case> = Object.fromEntries(
  ['stale', 'stale-500', 'stale-off', 'revalidate', 'reval-hour', 'updating'].flatMap((place) => [
    ...Object.entries(FAILURES).map(([what, failed]): [string, Case] => {
      const target = `/${place}/${++count}`
      return [
        `${place}: ${what}`,
        {
          send: [get(target), get(target), get(target)],
          answers: [answer('old', STALE), failed, answer('new', ['X-Accel-Expires: 60'])],
        },
      ]
    }),
    ...['stale-if-error=600', 'stale-while-revalidate=600', 'stale-if-error=0'].map((word): [string, Case] => {
      const target = `/${place}/${++count}`
      const fields = [`Cache-Control: max-age=1, ${word}`, 'X-Accel-Expires: @1', 'ETag: "e"']
      return [
        `${place}: ${word}`,
        {
          send: [get(target), get(target), get(target)],
          answers: [answer('old', fields), answer('failed', [], '500 Bad'), answer('new', ['X-Accel-Expires: 60'])],
        },
      ]
    }),
    ...[['If-None-Match: "e"'], ['If-None-Match: "x"'], ['If-Modified-Since: ' + PAST], ['Range: bytes=0-0']].map(
      (fields): [string, Case] => {
        const target = `/${place}/${++count}`
        return [
          `${place}: 304 ${fields.join(' ')}`,
          {
            send: [get(target), get(target, fields), get(target, fields)],
            answers: [answer('old', STALE), NOT_MODIFIED, answer('new')],
          },
        ]
      },
    ),
  ]),
)

const VARIES: readonly (readonly [vary: string, first: string[], second: string[], third: string[]])[] = [
  ['Accept-Encoding', ['Accept-Encoding: gzip'], [], ['Accept-Encoding: gzip']],
  ['X-A', ['X-A: 1'], ['X-A: 2'], ['X-A: 1']],
  ['X-A', ['X-A: 1'], ['X-A:  1 '], ['x-a: 1']],
  ['X-A, X-B', ['X-A: 1', 'X-B: 2'], ['X-B: 2', 'X-A: 1'], ['X-A: 1']],
  ['X-A,X-B', ['X-A: 1,2'], ['X-A: 1, 2'], ['X-A: 1', 'X-A: 2']],
  ['x-a', ['X-A: a'], ['X-A: A'], ['X-A:']],
  ['Cookie', ['Cookie: a=b'], ['Cookie: a=b', 'Cookie: c=d'], ['Cookie: a=b; c=d']],
  ['X-A', [], ['X-A:'], []],
  ['Host', [], [], []],
  ['X A', [], [], []],
  [',', [], [], []],
  ['X-A,', ['X-A: 1'], ['X-A: 1'], []],
]
const vary: Record<string, Case> = Object.fromEntries(
  VARIES.map(([name, ...fields], n): [string, Case] => {
    const target = `/hour/${++count}`
    return [
      `${n} ${name}`,
      {
        send: [...fields, ...fields].map((one) => get(target, one)),
        answers: ['a', 'b', 'c', 'd', 'e', 'f'].map((body) => answer(body, [`Vary: ${name}`])),
      },
    ]
  }),
)

const more: Record<string, Case> = {
  'intercepted 404': twice('intercept', [], [], [answer('gone', [], '404 Not Found')]),
  'intercepted 500': twice('intercept', [], [], [answer('bad', [], '500 Bad')]),
  'intercepted 403': twice('intercept', [], [], [answer('bad', [], '403 Bad')]),
  redirect: twice(
    'redirect',
    [],
    [],
    [answer('', ['Location: http://127.0.0.1:%%PORT_6%%/b/x', 'Set-Cookie: a=b; path=/'], '302 Found')],
  ),
  'accel inside': twice('accel', [], [], [answer('', ['X-Accel-Redirect: /inside/1']), answer('inside')]),
  'accel kept': twice(
    'accel',
    [],
    [],
    [answer('', ['X-Accel-Redirect: /inside/2', 'Cache-Control: max-age=60']), answer('inside')],
  ),
  'accel named': twice('accel', [], [], [answer('', ['X-Accel-Redirect: @five'])]),
  ssi: twice('ssi', [], [], [answer('<!--# include virtual="/hour/included" -->!'), answer('part')]),
  chunked: twice(
    'hour',
    [],
    [],
    [{ send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n' }],
  ),
  'chunked with trailer': twice(
    'hour',
    [],
    [],
    [{ send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3\r\nabc\r\n0\r\nT: t\r\n\r\n' }],
  ),
  'until closed': twice('hour', [], [], [{ send: 'HTTP/1.1 200 OK\r\n\r\nabc', after: 'close' }]),
  'cut off': twice(
    'hour',
    [],
    [],
    [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', after: 'close' }, answer('whole')],
  ),
  'cut chunks': twice(
    'hour',
    [],
    [],
    [{ send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc', after: 'close' }, answer('whole')],
  ),
  'more than the length': twice(
    'hour',
    [],
    [],
    [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcd', after: 'close' }],
  ),
  'no length at all, kept': twice('hour', [], [], [{ send: 'HTTP/1.0 200 OK\r\n\r\nabc', after: 'close' }]),
  'HTTP/1.0 twice': {
    send: [
      'GET /hour/one-0 HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n',
      'GET /hour/one-0 HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n',
    ],
    answers: [answer('zero')],
  },
  'with a query': { send: [get('/hour/q?a'), get('/hour/q?b'), get('/hour/q')], answers: [answer('a'), answer('b')] },
  'another host': {
    send: [get('/hour/host'), ask('/hour/host', ['Host: other'])],
    answers: [answer('a'), answer('b')],
  },
  'early hints': twice(
    'hour',
    [],
    [],
    [{ send: 'HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx' }],
  ),
  'fields of answers': twice(
    'hour',
    [],
    [],
    [
      answer('x', [
        'X-A: 1',
        'X-A: 2',
        'Link: </a>',
        'Content-Language: de',
        'Content-Disposition: inline',
        'Age: 3',
        'Keep-Alive: x',
        'Via: z',
        'P3P: p',
        'Accept-Ranges: none',
        'Status: 404 X',
      ]),
    ],
  ),
  'Content-Type': twice('hour', [], [], [answer('x', ['Content-Type: text/html; charset=koi8-r'])]),
  'POST with a body': {
    send: [get('/post/b', [], 'POST', 'abc'), get('/post/b', [], 'POST', 'def')],
    answers: [answer('one'), answer('two')],
  },
}

/** Answers that are to be stored as files, and a look at them. */
function stored(status: string, fields: readonly string[] = [], method = 'GET', answers?: readonly Answer[]): Case {
  const name = `${++count}`
  return {
    send: [
      get(`/store/${name}`, [], method),
      get(`/stored/store/${name}`),
      get(`/store-on/${name}`, [], method),
      get(`/on/store-on/${name}`),
    ],
    answers: answers ?? [answer('to be stored', fields, status)],
  }
}
const store: Record<string, Case> = {
  ...Object.fromEntries(STATUSES.map((status): [string, Case] => [status, stored(status)])),
  'Last-Modified': stored('200 OK', ['Last-Modified: ' + PAST]),
  'no-store': stored('200 OK', ['Cache-Control: no-store']),
  HEAD: stored('200 OK', [], 'HEAD', [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n' }]),
  POST: stored('200 OK', [], 'POST'),
  chunked: stored('', [], 'GET', [
    { send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n' },
  ]),
  'until closed': stored('', [], 'GET', [{ send: 'HTTP/1.1 200 OK\r\n\r\nabc', after: 'close' }]),
  'cut off': stored('', [], 'GET', [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', after: 'close' }]),
  empty: stored('200 OK', [], 'GET', [answer('')]),
  below: { send: [get('/store/b/c/d.txt'), get('/stored/store/b/c/d.txt')] },
  again: {
    send: [get('/store/again'), get('/store/again'), get('/stored/store/again')],
    answers: [answer('one'), answer('two')],
  },
  arguments: { send: [get('/store/args?x=y'), get('/stored/store/args')] },
  escaped: { send: [get('/store/%41%20b'), get('/stored/store/A%20b')] },
}

const files = { htpasswd: 'x:{PLAIN}y\n' }

/** Its groups. */
export const cacheGroups: readonly Group[] = [
  { name: 'cache: lives', http, files, cases: lives },
  { name: 'cache: requests', http, files, cases: asked },
  { name: 'cache: stale', http, files, cases: stale },
  { name: 'cache: vary', http, files, cases: vary },
  { name: 'cache: more', http, files, cases: more },
  { name: 'cache: store', http, files, cases: store },
]
