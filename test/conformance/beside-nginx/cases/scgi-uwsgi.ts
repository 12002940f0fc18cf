/** SCGI and uwsgi: programs that answer in every way, and what they are sent. */
import { type Answer, ask, type Case, type Group } from '../case.ts'
import { CGI_HEADS } from './cgi-heads.ts'

const OK = 'Content-Type: text/plain\r\n\r\nok'
const closing = (...send: string[]): Answer => ({ send, after: 'close' })
const long = (size: number): string => 'a long line of text, '.repeat(size / 21 + 1).slice(0, size)
const files = { 'www/err.html': 'error page\n' }

/** Bodies, and how heads and they are cut. */
const BODIES: Readonly<Record<string, Answer>> = {
  'byte by byte': closing(...'Status: 201 M\r\nA: b\r\n\r\nsome text'),
  'byte by byte with a line': closing(...'HTTP/1.1 201 M\r\nA: b\r\n\r\nok'),
  'byte by byte, sized': closing(...'A: b\r\nContent-Length: 2\r\n\r\nok'),
  'byte by byte, longer': closing(...'A: b\r\nContent-Length: 2\r\n\r\nokay'),
  'byte by byte, junk': closing(...'junk\r\n\r\nx'),
  'cut in the status': closing('Stat'),
  'cut in the line': closing('HTTP/1.1 2'),
  'cut in the head': closing('A: b\r\n'),
  'cut in the body': closing('Content-Length: 9\r\n\r\nok'),
  'reset at once': { send: '', after: 'reset' },
  'sized and open': { send: 'Content-Length: 2\r\n\r\nok' },
  'sized of 0 and open': { send: 'Content-Length: 0\r\n\r\n' },
  '204 and open': { send: 'Status: 204 No\r\n\r\n' },
  '304 and open': { send: 'Status: 304 No\r\n\r\n' },
  silence: { send: '' },
  'silence in the head': { send: 'A: b\r\n' },
  large: closing('A: b\r\n\r\n', long(90000)),
  'large and sized': closing('A: b\r\nContent-Length: 90000\r\n\r\n', long(90000)),
  early: { send: OK, early: true, after: 'close' },
}

const NEXT = [
  'error',
  'timeout',
  'invalid_header',
  'http_500',
  'http_503',
  'http_403',
  'http_404',
  'http_429',
  'off',
  'error non_idempotent',
]
const NEXT_ANSWERS: Readonly<Record<string, Answer>> = {
  nothing: closing(''),
  silence: { send: '' },
  'head cut': closing('A: b\r\n'),
  junk: closing('junk\r\n\r\n'),
  '500': closing('Status: 500 E\r\n\r\nno'),
  '503': closing('HTTP/1.1 503 E\r\n\r\nno'),
  '403': closing('Status: 403 E\r\n\r\nno'),
  '404': closing('Status: 404 E\r\n\r\nno'),
  '429': closing('Status: 429 E\r\n\r\nno'),
  'body cut': closing('Content-Length: 9\r\n\r\nok'),
}

const TARGETS: readonly string[] = [
  '/',
  '/a?b=c',
  '/a%20b',
  '/%e4',
  '/a//b',
  '/none',
  '/length',
  '/lengthless',
  '/if',
  '/if?a=1',
  '/if?b=1',
  '/over',
  '/nobody',
  '/big?a=1',
  '/big?a=&b=',
  `/big?a=${'x'.repeat(6000)}`,
  `/big?a=${'x'.repeat(6500)}`,
  `/big?a=${'x'.repeat(6600)}`,
  `/big?a=${'x'.repeat(7000)}`,
  '/var',
  '/varbad?b=127.0.0.1:99999',
  '/varbad',
  '/scheme',
  '/dead',
  '/mod',
  '/mod/max',
  '/empty',
]

const FIELDS: readonly (readonly string[])[] = [
  ['A: a', 'A: b'],
  ['X-Y: a', 'X_Y: b', 'X.Y: c'],
  ['Cookie: a=b', 'Cookie: c=d'],
  ['Host: other'],
  ['Proxy: x'],
  ['A:', 'B: '],
  ['Content-Type: t', 'Content-Type: t'],
  ['Range: bytes=0-1', 'If-None-Match: "a"'],
  ['A: \xe4'],
  ['Upgrade: websocket', 'X: y'],
  ['Expect: 100-continue'],
  [`Long: ${'x'.repeat(300)}`],
]

const each = (places: readonly string[], list: Readonly<Record<string, Answer>>, method = 'GET'): [string, Case][] =>
  Object.entries(list).flatMap(([name, answer]) =>
    places.map((place): [string, Case] => [
      `${method === 'GET' ? '' : `${method} `}${place} <- ${name}`,
      { send: ask(place, [], method), answers: [answer] },
    ]),
  )

const bodies = (place: string): [string, Case][] => {
  const answers = [closing(OK)]
  const post = (fields: string[], body = '', method = 'POST'): Case => ({
    send: ask(place, fields, method, body),
    answers,
  })
  return [
    [`POST ${place}`, post(['Content-Length: 3'], 'abc')],
    [`POST typed ${place}`, post(['Content-Length: 3', 'Content-Type: x/y'], 'abc')],
    [`POST empty ${place}`, post(['Content-Length: 0'])],
    [`POST none ${place}`, post([])],
    [`POST chunked ${place}`, post(['Transfer-Encoding: chunked'], '1\r\na\r\n2\r\nbc\r\n0\r\n\r\n')],
    [`POST chunked empty ${place}`, post(['Transfer-Encoding: chunked'], '0\r\n\r\n')],
    [`POST chunked bad ${place}`, post(['Transfer-Encoding: chunked'], '1\r\naXX')],
    [`POST large ${place}`, post(['Content-Length: 70001'], long(70001))],
    [`POST cut ${place}`, { ...post(['Content-Length: 9'], 'abc'), end: true }],
    [`PUT ${place}`, post(['Content-Length: 3'], 'abc', 'PUT')],
    [`GET body ${place}`, post(['Content-Length: 3'], 'abc', 'GET')],
  ]
}

type Name = 'scgi' | 'uwsgi'

const passTo =
  (name: Name) =>
  (n: number): string =>
    `${name}_pass 127.0.0.1:%%PORT_${n}%%;`

/** A server with these locations; `GATE` is the protocol. */
function serverOf(name: Name, inner: string): string {
  return `${name}_temp_path %%DIR%%/body; ${name}_read_timeout 300ms; ${name}_buffer_size 4k; ${name}_buffers 8 4k; ${name}_busy_buffers_size 8k;
upstream two { server 127.0.0.1:%%PORT_6%% max_fails=0; server 127.0.0.1:%%PORT_7%% max_fails=0; }
server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www; server_name h; ${inner.replaceAll('GATE', name)} }`
}

/** How programs answer. */
function answersGroup(name: Name): Group {
  const to = passTo(name)
  return {
    name: `gateways: ${name} answers`,
    speech: name,
    files,
    http: serverOf(
      name,
      `
        location /b { ${to(6)} }
        location /u { GATE_buffering off; ${to(6)} }
        location /i { GATE_intercept_errors on; error_page 300 301 302 400 401 404 416 500 502 503 504 /err.html; ${to(6)} }
        location /f { GATE_hide_header X; GATE_hide_header Content-Type; GATE_pass_header X-Accel-Expires; GATE_pass_header Server; GATE_force_ranges on;
          GATE_ignore_headers X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset X-Accel-Expires Set-Cookie; ${to(6)} }
        location = /inner { internal; return 200 "inner $uri $args $request_method\\n"; }
        location @at { return 200 "at $uri $args\\n"; }`,
    ),
    cases: Object.fromEntries([
      ...each(
        ['/b', ...(name === 'uwsgi' ? [] : ['/i'])],
        Object.fromEntries(Object.entries(CGI_HEADS).map(([head, text]) => [head, closing(text)])),
      ),
      ...each(
        ['/f'],
        Object.fromEntries(
          Object.entries(CGI_HEADS)
            .filter(([head]) => /status line|accel|cookie|field|length/.test(head))
            .map(([head, text]) => [head, closing(text)]),
        ),
      ),
      ...each(['/b', '/u', '/i'], BODIES),
      ...each(['/b'], BODIES, 'HEAD'),
    ]),
  }
}

/** What they are sent. */
function requestsGroup(name: Name): Group {
  const to = passTo(name)
  return {
    name: `gateways: ${name} requests`,
    speech: name,
    files,
    http: serverOf(
      name,
      `
        GATE_param REQUEST_METHOD $request_method;
        location / { GATE_param QUERY_STRING $query_string; GATE_param URI $uri; ${to(6)} }
        location /none { GATE_param A a; GATE_pass_request_headers off; ${to(6)} }
        location /length { GATE_param CONTENT_LENGTH $content_length; GATE_param CONTENT_TYPE $content_type; ${to(6)} }
        location /lengthless { GATE_param CONTENT_LENGTH ""; ${to(6)} }
        location /if { GATE_param A $arg_a if_not_empty; GATE_param B $arg_b; GATE_param C ""; GATE_param A twice; ${to(6)} }
        location /over { GATE_param HTTP_A own; GATE_param HTTP_B ""; GATE_param HTTP_C $http_none if_not_empty; GATE_param http_d x; ${to(6)} }
        location /nobody { GATE_param CONTENT_LENGTH $content_length; GATE_pass_request_body off; ${to(6)} }
        location /stream { GATE_param CONTENT_LENGTH $content_length; GATE_request_buffering off; ${to(6)} }
        location /big { GATE_param BIG $arg_a$arg_a$arg_a$arg_a$arg_a$arg_a$arg_a$arg_a$arg_a$arg_a; GATE_param B2 $arg_b; ${to(6)} }
        location /var { set $b 127.0.0.1:%%PORT_6%%; GATE_pass $b; }
        location /varbad { GATE_pass $arg_b; }
        location /dead { ${to(8)} }
        location /limit { client_max_body_size 5; ${to(6)} }
        ${name === 'uwsgi' ? `location /scheme { uwsgi_pass uwsgi://127.0.0.1:%%PORT_6%%; } location /mod { uwsgi_modifier1 7; uwsgi_modifier2 9; ${to(6)} } location /mod/max { uwsgi_modifier1 255; uwsgi_modifier2 255; ${to(6)} }` : ''}
        location /empty { GATE_param "" x; GATE_param X ""; ${to(6)} }`,
    ),
    cases: Object.fromEntries([
      ...TARGETS.map((target): [string, Case] => [
        target.length > 60 ? `/big ${target.length}` : target,
        { send: ask(target), answers: [closing(OK)] },
      ]),
      ...FIELDS.flatMap((fields) =>
        ['/', '/over', '/none'].map((place): [string, Case] => [
          `${place} ${fields.join(', ').slice(0, 40)}`,
          { send: ask(place, fields), answers: [closing(OK)] },
        ]),
      ),
      ...['/', '/length', '/lengthless', '/nobody', '/stream', '/limit', '/none']
        .flatMap(bodies)
        .filter(([title]) => !/^POST large \/(?:none|lengthless)?$/.test(title)),
    ]),
  }
}

/** Who is asked next. */
function nextGroup(name: Name): Group {
  return {
    name: `gateways: ${name} next`,
    speech: name,
    files,
    http: serverOf(
      name,
      NEXT.map((words, n) => `location /n${n} { GATE_next_upstream ${words}; GATE_pass two; }`).join('\n'),
    ).replace('300ms', '60ms'),
    cases: Object.fromEntries(
      NEXT.flatMap((_, n) =>
        Object.entries(NEXT_ANSWERS).flatMap(([what, answer]): [string, Case][] => [
          [`/n${n} <- ${what}`, { send: ask(`/n${n}`), answers: [answer, closing(OK)] }],
          [`/n${n} <- ${what} both`, { send: ask(`/n${n}`), answers: [answer] }],
          [
            `POST /n${n} <- ${what}`,
            { send: ask(`/n${n}`, ['Content-Length: 1'], 'POST', 'x'), answers: [answer, closing(OK)] },
          ],
        ]),
      ),
    ),
  }
}

/** What is asked about both. */
export const scgiUwsgiGroups: readonly Group[] = (['scgi', 'uwsgi'] as const).flatMap((name) => [
  answersGroup(name),
  requestsGroup(name),
  nextGroup(name),
])
