/** Back ends that answer in every way, and what becomes of it. */
import { type Answer, ask, type Case, type Group } from '../case.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const files = { 'www/file.txt': 'a file\n', 'www/err.html': 'error page\n' }

/** Cases in which one back end's answer is what matters. */
const answers = (
  targets: readonly string[],
  list: Record<string, string | Answer | readonly Answer[]>,
): Record<string, Case> =>
  Object.fromEntries(
    Object.entries(list).flatMap(([name, answer]) =>
      targets.map((target): [string, Case] => [
        `${target} ${name}`,
        {
          send: ask(target),
          answers:
            typeof answer === 'string' ? [{ send: answer, after: 'close' }] : 'send' in answer ? [answer] : answer,
        },
      ]),
    ),
  )
const head = (...fields: string[]): string =>
  `HTTP/1.1 200 OK\r\n${fields.map((field) => `${field}\r\n`).join('')}Content-Length: 2\r\n\r\nok`
const one = (send: string): Answer => ({ send, after: 'close' })

const responses: Record<string, string | Answer | readonly Answer[]> = {
  ...Object.fromEntries(
    [
      200, 201, 202, 203, 204, 205, 206, 207, 226, 299, 300, 301, 302, 303, 304, 307, 308, 399, 400, 401, 402, 403, 404,
      405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 418, 422, 425, 426, 428, 429, 431, 444, 451, 494, 495, 497,
      499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599, 600, 999,
    ].map((code) => [`status ${code}`, `HTTP/1.1 ${code} Text of ${code}\r\nContent-Length: 2\r\nX: x\r\n\r\nok`]),
  ),
  'no reason': 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok',
  'no reason but a space': 'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok',
  'own reason': 'HTTP/1.1 200 Fine Thanks\r\nContent-Length: 2\r\n\r\nok',
  'non-ascii reason': 'HTTP/1.1 200 \xe4\r\nContent-Length: 2\r\n\r\nok',
  'only LF': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
  'HTTP/1.0': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.0 until close': 'HTTP/1.0 200 OK\r\n\r\nok',
  'HTTP/1.1 until close': 'HTTP/1.1 200 OK\r\n\r\nok',
  'HTTP/1.0 chunked': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'HTTP/1.2': 'HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok',
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'chunked extension': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0;c\r\n\r\n',
  'chunked trailer': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n2\r\nok\r\n0\r\nT: t\r\n\r\n',
  'chunked cut': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok',
  'chunked without end': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
  'chunked without last line': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n',
  'chunked bad size': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok\r\n0\r\n\r\n',
  'chunked bad second size': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nz\r\n',
  'chunked bytes behind':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n',
  'chunked upper': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'chunked and length':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'chunked twice':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'coding gzip': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok',
  'coding identity': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok',
  'empty chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  empty: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'too short': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok',
  'too long': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok',
  'bad length': 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok',
  'negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok',
  'empty length': 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok',
  'two other lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
  'head cut': 'HTTP/1.1 200 OK\r\nContent-Len',
  'line cut': 'HTTP/1.1 20',
  nothing: '',
  reset: { send: '', after: 'reset' },
  'no status line': 'hello\r\n\r\nok',
  'bad version': 'HTTP/x 200 OK\r\n\r\nok',
  'bad status': 'HTTP/1.1 20x OK\r\n\r\nok',
  'two digits': 'HTTP/1.1 20 OK\r\n\r\nok',
  'four digits': 'HTTP/1.1 2000 OK\r\n\r\nok',
  'LF before': '\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'bad field': head('X'),
  'bad field space': head('X y: z'),
  'bad field colon': head(': z'),
  folded: head('X: a', ' b'),
  NUL: head('X: a\0b'),
  control: head('X: a\x01b'),
  underscore: head('X_Y: a'),
  dots: head('X.Y: a'),
  'empty value': head('X:'),
  spaces: head('X:   a   '),
  twice: head('X: a', 'X: b'),
  'big head': head(`X: ${'x'.repeat(3000)}`),
  'too big head': head(`X: ${'x'.repeat(5000)}`),
  'server and date': head('Server: S', 'Date: D'),
  'connection close': head('Connection: close'),
  'connection keep-alive': head('Connection: keep-alive', 'Keep-Alive: timeout=5'),
  'connection field': head('Connection: X', 'X: a'),
  'hop by hop': head('Proxy-Connection: a', 'TE: a', 'Upgrade: a', 'Proxy-Authenticate: x', 'Trailer: y'),
  validators: head(
    'ETag: "a"',
    'Last-Modified: Sat, 03 Feb 2024 04:05:06 GMT',
    'Expires: x',
    'Cache-Control: a',
    'Cache-Control: b',
    'Vary: X',
    'Link: a',
    'Link: b',
    'Pragma: no-cache',
  ),
  types: head('Content-Type: text/html; charset=utf-8'),
  'type empty': head('Content-Type:'),
  encoded: head('Content-Encoding: gzip'),
  'www-authenticate': `HTTP/1.1 401 No\r\nWWW-Authenticate: a\r\nWWW-Authenticate: b\r\nContent-Length: 2\r\n\r\nok`,
  'status field': head('Status: 404'),
  interim: [one(`HTTP/1.1 100 Continue\r\n\r\n${OK}`)],
  'interim 103': [one(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`)],
  cookies: head('Set-Cookie: a=b', 'Set-Cookie: c=d; Path=/x; Domain=a.org; Secure'),
  'accept-ranges': head('Accept-Ranges: none'),
  refresh: head('Refresh: 5; url=http://127.0.0.1:%%PORT_6%%/x'),
  'x-accel': head(
    'X-Accel-Buffering: no',
    'X-Accel-Charset: utf-8',
    'X-Accel-Expires: 5',
    'X-Accel-Limit-Rate: 5000',
    'Content-Type: text/plain',
  ),
}

const conf = (inner: string): string => `
upstream two { server 127.0.0.1:%%PORT_6%%; server 127.0.0.1:%%PORT_7%%; }
upstream half { server 127.0.0.1:%%PORT_8%%; server 127.0.0.1:%%PORT_6%% backup; }
upstream kept { server 127.0.0.1:%%PORT_6%%; keepalive 2; }
upstream dead { server 127.0.0.1:%%PORT_8%%; server 127.0.0.1:%%PORT_8%% weight=2; }
server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www; server_name h; proxy_buffer_size 4k; ${inner} }`

const nextConditions = [
  'error',
  'timeout',
  'invalid_header',
  'http_500',
  'http_502',
  'http_503',
  'http_504',
  'http_403',
  'http_404',
  'http_429',
  'off',
  'error http_500 non_idempotent',
]

/** What is asked about back ends. */
export const proxyGroups: readonly Group[] = [
  {
    name: 'proxy: responses',
    http: conf(`
      location /b/ { proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /u/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_buffering off; }
      location /0/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_http_version 1.0; }
      location /i/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_intercept_errors on; error_page 300 301 302 400 401 404 416 500 502 503 504 /err.html; }`),
    files,
    cases: {
      ...answers(['/b/', '/u/'], responses),
      ...answers(
        ['/0/', '/i/'],
        Object.fromEntries(
          Object.entries(responses).filter(([name]) => /status|chunked|close|length|www|nothing/.test(name)),
        ),
      ),
    },
  },
  {
    name: 'proxy: methods',
    http: conf(
      'location /b/ { proxy_pass http://127.0.0.1:%%PORT_6%%; } location /u/ { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_buffering off; proxy_request_buffering off; }',
    ),
    cases: Object.fromEntries(
      ['/b/', '/u/'].flatMap((target) =>
        [
          OK,
          'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
          'HTTP/1.1 200 OK\r\n\r\n',
          'HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n',
          'HTTP/1.1 204 No\r\n\r\n',
          'HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n',
        ].flatMap((send, n) =>
          ['HEAD', 'GET', 'POST', 'OPTIONS'].map((method): [string, Case] => [
            `${method} ${target} ${n}`,
            {
              send: ask(target, method === 'POST' ? ['Content-Length: 3'] : [], method, method === 'POST' ? 'abc' : ''),
              answers: [{ send, after: 'close' }],
            },
          ]),
        ),
      ),
    ),
  },
  {
    name: 'proxy: requests',
    http: conf(`
      location /uri/ { proxy_pass http://127.0.0.1:%%PORT_6%%/new/; }
      location /nouri/ { proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /noslash { proxy_pass http://127.0.0.1:%%PORT_6%%/new; }
      location = /exact { proxy_pass http://127.0.0.1:%%PORT_6%%/new?x=y; }
      location /args/ { proxy_pass http://127.0.0.1:%%PORT_6%%/new?x=y; }
      location ~ ^/re/(.*)$ { proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location ~ ^/revar/(.*)$ { proxy_pass http://127.0.0.1:%%PORT_6%%/$1; }
      location /var/ { proxy_pass http://127.0.0.1:%%PORT_6%%$request_uri; }
      location /varnone/ { set $x 127.0.0.1:%%PORT_6%%; proxy_pass http://$x; }
      location /varslash/ { set $x 127.0.0.1:%%PORT_6%%; proxy_pass http://$x/; }
      location /varargs/ { set $x 127.0.0.1:%%PORT_6%%; proxy_pass http://$x/q?a=$arg_a; }
      location /rw/ { rewrite ^/rw/(.*)$ /new/$1 break; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /rwuri/ { rewrite ^/rwuri/(.*)$ /new/$1?k=v break; proxy_pass http://127.0.0.1:%%PORT_6%%/other/; }
      location /rwq/ { rewrite ^/rwq/(.*)$ /new/$1? break; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /group { proxy_pass http://two; }
      location /groupvar { set $g two; proxy_pass http://$g; }
      location /up { proxy_pass HTTP://127.0.0.1:%%PORT_6%%; }
      location /method { proxy_method PUT; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /methodvar { proxy_method $arg_m; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /body { proxy_set_body "body $request_method"; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /nobody { proxy_pass_request_body off; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /nobody0 { proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /nohead { proxy_pass_request_headers off; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /set/ { proxy_set_header X-A $http_a; proxy_set_header X-B ""; proxy_set_header Host $host; proxy_set_header X-F $proxy_add_x_forwarded_for; proxy_pass http://127.0.0.1:%%PORT_6%%;
        location /set/inner { proxy_pass http://127.0.0.1:%%PORT_6%%; } location /set/own { proxy_set_header Y y; proxy_pass http://127.0.0.1:%%PORT_6%%; } }
      location /vars { proxy_set_header V "$proxy_host $proxy_port $proxy_add_x_forwarded_for $host $request_id_"; set $request_id_ x; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
      location /ten { proxy_http_version 1.0; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /stream { proxy_request_buffering off; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /ws { proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /dead { proxy_pass http://dead; }
      location /half { proxy_pass http://half; }
      location /badname { proxy_pass http://$arg_h; }
      location /mem { set $memcached_key $arg_k; memcached_pass 127.0.0.1:%%PORT_7%%; }
      location /if { if ($arg_p) { proxy_pass http://127.0.0.1:%%PORT_6%%; } return 200 noif; }
      location /limit { limit_except GET { proxy_pass http://127.0.0.1:%%PORT_7%%; } proxy_pass http://127.0.0.1:%%PORT_6%%; }
    `),
    files,
    cases: {
      ...Object.fromEntries(
        [
          '/uri/',
          '/uri/a',
          '/uri/a%20b?c=%20',
          '/uri/a/../b',
          '/uri//a',
          '/uri/%2f',
          '/uri/a+b',
          '/uri/a%3fb',
          '/uri/%e4',
          '/uri/a"b',
          '/uri?x',
          '/nouri/a/../b',
          '/nouri/%2f?',
          '/nouri/a%20b',
          '/nouri//a',
          '/noslash',
          '/noslash/a',
          '/noslasha',
          '/exact',
          '/exact?z',
          '/args/a',
          '/args/a?z',
          '/re/a%20b',
          '/revar/a%20b',
          '/revar/a/b?c',
          '/var/a?b',
          '/var/a%20b',
          '/varnone/a%20b?c',
          '/varslash/a?b',
          '/varargs/a?a=1',
          '/rw/a%20b?c',
          '/rw/a%3fb',
          '/rwuri/a?c',
          '/rwq/a?c',
          '/group?1',
          '/groupvar/a',
          '/up',
          '/method',
          '/methodvar?m=FOO',
          '/methodvar',
          '/body',
          '/set/a',
          '/set/inner',
          '/set/own',
          '/vars/a',
          '/ten',
          '/dead',
          '/half',
          '/badname',
          '/badname?h=',
          '/badname?h=127.0.0.1:1:2',
          '/badname?h=127.0.0.1:99999',
          '/badname?h=a%20b',
          '/if',
          '/if?p=1',
          '/limit',
          'http://h?q=1',
          'http://h/nouri/a',
          'http://h/uri/a',
          '/nouri/a?',
          '/nouri/a#b',
          '/uri/a#b',
          '/nouri/\xe4',
        ].map((target): [string, Case] => [target, { send: ask(target) }]),
      ),
      ...Object.fromEntries(
        [
          '/nouri/',
          '/ten',
          '/stream',
          '/method',
          '/body',
          '/nobody',
          '/nobody0',
          '/nohead',
          '/set/a',
          '/limit',
          '/half',
          '/dead',
          '/group',
        ].flatMap((target): [string, Case][] => [
          [`POST ${target}`, { send: ask(target, ['Content-Length: 3'], 'POST', 'abc') }],
          [
            `POST chunked ${target}`,
            { send: ask(target, ['Transfer-Encoding: chunked'], 'POST', '3;x=y\r\nabc\r\n0\r\nT: t\r\n\r\n') },
          ],
          [`POST empty ${target}`, { send: ask(target, ['Content-Length: 0'], 'POST') }],
          [`POST none ${target}`, { send: ask(target, [], 'POST') }],
          [`GET body ${target}`, { send: ask(target, ['Content-Length: 3'], 'GET', 'abc') }],
          [
            `POST expect ${target}`,
            { send: ask(target, ['Content-Length: 3', 'Expect: 100-continue'], 'POST', 'abc') },
          ],
          [`POST short ${target}`, { send: ask(target, ['Content-Length: 5'], 'POST', 'abc'), end: true }],
          [
            `POST chunked bad ${target}`,
            { send: ask(target, ['Transfer-Encoding: chunked'], 'POST', 'x\r\nabc\r\n0\r\n\r\n') },
          ],
        ]),
      ),
      ...Object.fromEntries(
        [
          ['A: a'],
          ['A: a', 'A: b'],
          ['X-A: client'],
          ['X-Forwarded-For: 1.1.1.1'],
          ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2'],
          ['Host: other:80'],
          ['Keep-Alive: 5'],
          ['TE: trailers'],
          ['Proxy-Connection: x'],
          ['Upgrade: websocket'],
          ['X_U: a'],
          ['Cookie: a', 'Cookie: b'],
          ['Expect: x'],
          ['Trailer: a'],
          ['Accept-Encoding: gzip'],
          ['Range: bytes=0-1'],
          ['If-Match: "x"'],
          ['Content-Type: a'],
          ['Via: x'],
          ['X:'],
          ['X:   a  '],
          ['Proxy: x'],
          ['Authorization: x'],
          ['Transfer-Encoding: chunked', 'X: no body'],
        ].flatMap((fields) =>
          ['/nouri/', '/set/a', '/nohead'].map((target): [string, Case] => [
            `${target} ${fields.join(', ')}`,
            { send: ask(target, fields, 'GET', fields[0]!.startsWith('Transfer') ? '0\r\n\r\n' : '') },
          ]),
        ),
      ),
      'memcached miss': { send: ask('/mem?k=a'), answers: [{ send: 'END\r\n' }] },
      'memcached hit': { send: ask('/mem?k=a'), answers: [{ send: 'VALUE a 0 2\r\nok\r\nEND\r\n' }] },
      'memcached flags': { send: ask('/mem?k=a'), answers: [{ send: 'VALUE a 5 2\r\nok\r\nEND\r\n' }] },
      'memcached other key': { send: ask('/mem?k=a'), answers: [{ send: 'VALUE b 0 2\r\nok\r\nEND\r\n' }] },
      'memcached bad length': { send: ask('/mem?k=a'), answers: [{ send: 'VALUE a 0 x\r\nok\r\nEND\r\n' }] },
      'memcached bad end': { send: ask('/mem?k=a'), answers: [{ send: 'VALUE a 0 2\r\nokEND\r\n' }] },
      'memcached error': { send: ask('/mem?k=a'), answers: [{ send: 'ERROR\r\n' }] },
      'memcached key': { send: ask('/mem?k=a%20b'), answers: [{ send: 'END\r\n' }] },
      'memcached no key': { send: ask('/mem'), answers: [{ send: 'END\r\n' }] },
      'memcached cut': { send: ask('/mem?k=a'), answers: [{ send: 'VALUE a 0 9\r\nok', after: 'close' }] },
      'memcached POST': { send: ask('/mem?k=a', ['Content-Length: 0'], 'POST') },
      'memcached HEAD': { send: ask('/mem?k=a', [], 'HEAD'), answers: [{ send: 'VALUE a 0 2\r\nok\r\nEND\r\n' }] },
    },
  },
  {
    name: 'proxy: next',
    http: conf(
      nextConditions
        .map((words, n) => `location /n${n} { proxy_next_upstream ${words}; proxy_pass http://two; }`)
        .join('\n') +
        `location /tries { proxy_next_upstream http_500; proxy_next_upstream_tries 1; proxy_pass http://two; }
         location /intercept { proxy_next_upstream http_500; proxy_intercept_errors on; error_page 500 /err.html; proxy_pass http://two; }
         location /redir { proxy_pass http://two; proxy_intercept_errors on; error_page 404 =200 @again; } location @again { proxy_pass http://127.0.0.1:%%PORT_6%%; }
         location /kept { proxy_pass http://kept; }`,
    )
      .replace('proxy_buffer_size 4k;', 'proxy_buffer_size 4k;')
      .replaceAll(
        'server 127.0.0.1:%%PORT_6%%; server 127.0.0.1:%%PORT_7%%;',
        'server 127.0.0.1:%%PORT_6%% max_fails=0; server 127.0.0.1:%%PORT_7%% max_fails=0;',
      ),
    files,
    cases: {
      ...Object.fromEntries(
        [...nextConditions.map((_, n) => `/n${n}`), '/tries', '/intercept', '/redir'].flatMap((target) =>
          [
            '',
            'junk\r\n\r\n',
            'HTTP/1.1 500 E\r\nContent-Length: 2\r\n\r\nno',
            'HTTP/1.1 502 E\r\nContent-Length: 0\r\n\r\n',
            'HTTP/1.1 404 E\r\nContent-Length: 0\r\n\r\n',
            'HTTP/1.1 429 E\r\nContent-Length: 0\r\n\r\n',
            'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab',
          ].flatMap((send, n): [string, Case][] => [
            [
              `${target} ${n}`,
              {
                send: ask(target),
                answers: [
                  { send, after: 'close' },
                  { send: OK, after: 'close' },
                ],
              },
            ],
            [`${target} ${n} both`, { send: ask(target), answers: [{ send, after: 'close' }] }],
            [
              `POST ${target} ${n}`,
              {
                send: ask(target, ['Content-Length: 1'], 'POST', 'x'),
                answers: [
                  { send, after: 'close' },
                  { send: OK, after: 'close' },
                ],
              },
            ],
          ]),
        ),
      ),
      ...Object.fromEntries(
        [
          OK,
          `${OK}x`,
          'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
          'HTTP/1.1 204 No\r\n\r\n',
          'HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\n',
          'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
          'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
        ].map((send, n): [string, Case] => [
          `kept ${n}`,
          {
            send: [
              'GET /kept/1 HTTP/1.1\r\nHost: h\r\n\r\n',
              'HEAD /kept/2 HTTP/1.1\r\nHost: h\r\n\r\n',
              ask('/kept/3'),
            ],
            answers: [{ send }, { send: send.replace(/ok.?$/, '') }, { send, after: 'close' }],
          },
        ]),
      ),
    },
  },
  {
    name: 'proxy: fields',
    http: conf(`
      location /hide { proxy_hide_header X; proxy_hide_header Content-Type; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /pass { proxy_pass_header Server; proxy_pass_header Date; proxy_pass_header X-Accel-Expires; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /ignore { proxy_ignore_headers X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Charset Set-Cookie; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /r1/ { proxy_pass http://127.0.0.1:%%PORT_6%%/one/; }
      location /r2/ { proxy_redirect off; proxy_pass http://127.0.0.1:%%PORT_6%%/one/; }
      location /r3/ { proxy_redirect http://a.org/ /a/; proxy_redirect ~^http://b\\.org:(\\d+)/(.*)$ http://$host/b$1/$2; proxy_redirect ~*^HTTP://C.org/ /c/; proxy_redirect http://d.org/ $scheme://$host:$server_port/; proxy_pass http://127.0.0.1:%%PORT_6%%/one/; }
      location /r4/ { proxy_pass http://127.0.0.1:%%PORT_6%%/one/; proxy_redirect default; proxy_redirect http://a.org/ /a/; }
      location /r5/ { proxy_redirect / /r5/; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /ck/ { proxy_cookie_domain a.org b.org; proxy_cookie_domain ~\\.c\\.org$ d$host; proxy_cookie_path /one/ /two/; proxy_cookie_path ~^/re/(.*)$ /x/$1; proxy_cookie_flags a httponly secure samesite=strict; proxy_cookie_flags ~^b nosecure nohttponly nosamesite; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /ck2/ { proxy_cookie_domain off; proxy_cookie_path / "/; Secure"; proxy_cookie_flags off; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /plain { proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /chain { proxy_pass http://127.0.0.1:%%PORT_6%%; add_header V "$upstream_http_x|$upstream_http_set_cookie|$upstream_cookie_a|$upstream_status|$sent_http_x|$upstream_http_content_length" always; }
      location /files/ { internal; alias %%DIR%%/www/; }
      location /inner { internal; return 200 "inner $uri $args $request_method\n"; }
      location @at { return 200 "at $uri $args\n"; }
    `),
    files,
    cases: {
      ...answers(['/hide', '/pass', '/plain', '/chain', '/ignore'], {
        fields: head(
          'X: a',
          'Content-Type: text/x',
          'Server: S',
          'Date: D',
          'X-Accel-Expires: 5',
          'X-Pad: x',
          'Set-Cookie: a=b',
          'X-Y: z',
        ),
        cookies: head('Set-Cookie: a=1; x', 'Set-Cookie: ab=2', 'Set-Cookie: A=3', 'X: a', 'X: b'),
        charset: head('X-Accel-Charset: koi8-r', 'Content-Type: text/html'),
        redirect: head(
          'X-Accel-Redirect: /inner?a=b',
          'X: kept',
          'Set-Cookie: a=b',
          'Content-Type: text/x',
          'Cache-Control: c',
          'ETag: "e"',
          'Expires: x',
          'Last-Modified: Sat, 03 Feb 2024 04:05:06 GMT',
          'Content-Disposition: d',
          'Accept-Ranges: none',
          'Content-Encoding: e',
          'Location: /l',
          'Refresh: r',
          'WWW-Authenticate: w',
          'Vary: v',
          'Link: l',
          'Pragma: p',
        ),
        'redirect to a file': head(
          'X-Accel-Redirect: /files/file.txt',
          'Content-Type: text/x',
          'ETag: "e"',
          'Last-Modified: Sat, 03 Feb 2023 04:05:06 GMT',
          'Cache-Control: c',
          'Expires: x',
        ),
        'redirect to a missing file': head('X-Accel-Redirect: /files/none'),
        'redirect named': head('X-Accel-Redirect: @at'),
        'redirect unknown name': head('X-Accel-Redirect: @unknown'),
        'redirect 404': 'HTTP/1.1 404 No\r\nX-Accel-Redirect: /inner\r\nContent-Length: 0\r\n\r\n',
        'redirect 201': 'HTTP/1.1 201 Yes\r\nX-Accel-Redirect: /inner\r\nContent-Length: 0\r\n\r\n',
        'redirect empty': head('X-Accel-Redirect:'),
        'redirect twice': head('X-Accel-Redirect: /inner?1', 'X-Accel-Redirect: /inner?2'),
        'redirect unsafe': head('X-Accel-Redirect: /files/../x'),
        'redirect encoded': head('X-Accel-Redirect: /files/fil%65.txt'),
        'redirect fragment': head('X-Accel-Redirect: /inner?a#b'),
      }),
      ...answers(
        ['/r1/', '/r2/', '/r3/', '/r4/', '/r5/'],
        Object.fromEntries(
          [
            'http://127.0.0.1:%%PORT_6%%/one/x',
            'http://127.0.0.1:%%PORT_6%%/other',
            'http://127.0.0.1:%%PORT_6%%/',
            '/one/x',
            '/x',
            'x',
            '//x/y',
            'http://a.org/x',
            'HTTP://A.ORG/x',
            'http://a.org',
            'http://b.org:8/x',
            'http://c.org/x',
            'http://d.org/x',
            'https://a.org/x',
            '',
            '?x',
            '#x',
          ].map((to) => [
            `to ${to}`,
            `HTTP/1.1 302 F\r\nLocation: ${to}\r\nRefresh: 3; url=${to}\r\nContent-Length: 0\r\n\r\n`,
          ]),
        ),
      ),
      ...answers(
        ['/ck/', '/ck2/'],
        Object.fromEntries(
          [
            'a=1',
            'a=1; Domain=a.org; Path=/one/x',
            'a=1; domain=A.ORG;path=/one/',
            'a=1; domain=.a.org; path=/on',
            'a=1; domain=x.c.org; path=/re/y',
            'a=1; Secure; HttpOnly; SameSite=Lax',
            'b=1; Secure; HttpOnly; SameSite=Lax',
            'b=1; secure;httponly;samesite',
            'c=1; Secure',
            'a',
            '=1',
            '',
            'a=1;',
            'a=1;;',
            'a="x;y"; path=/one/',
            'a=1; path',
            'a=1; path=',
            'a=1 ; Path = /one/x',
            'a=1; Expires=Wed, 01 Jan 2025 00:00:00 GMT; path=/one/; domain=a.org',
            'bb=1; SECURE',
          ].map((cookie) => [`cookie ${cookie}`, head(`Set-Cookie: ${cookie}`)]),
        ),
      ),
    },
  },
]
