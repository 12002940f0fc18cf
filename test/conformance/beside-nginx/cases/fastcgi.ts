/** FastCGI: programs that answer in every way, and what they are asked. */
import { type Answer, ask, type Case, type Group } from '../case.ts'
import { CGI_HEADS } from './cgi-heads.ts'
import { FCGI } from './fastcgi-answers.ts'

const {
  bytewise,
  closing,
  END,
  endOf,
  err,
  files,
  halves,
  HEAD,
  long,
  OK,
  out,
  record,
  server,
  SIZED,
  STDERR,
  STDOUT,
} = FCGI

/** Answers as the bytes that carry them. */
const RECORDS: Record<string, string | readonly string[]> = {
  plain: OK,
  'no empty STDOUT': out(`${HEAD}ok`) + END,
  'no end': out(`${HEAD}ok`) + out(''),
  'no end at all': out(`${HEAD}ok`),
  'no end but all that was promised': out(`${SIZED}ok`),
  'less than was promised': out(`${SIZED}o`) + out('') + END,
  'less than was promised, no STDOUT': out(`${SIZED}o`) + END,
  'less than was promised, no end': out(`${SIZED}o`),
  'more than was promised': out(`${SIZED}okay`) + out('') + END,
  'more in another record': out(`${SIZED}ok`) + out('ay') + END,
  'promised and end': out(`${SIZED}ok`) + out('') + END,
  'head alone': out(SIZED) + out('ok') + END,
  'head in two records': out('Content-Type: te') + out('xt/plain\r\n\r\nok') + END,
  'head in many records': bytewise(HEAD).map(out).join('') + out('ok') + END,
  'head in many padded records':
    bytewise(HEAD)
      .map((text, n) => record(STDOUT, text, { padding: n * 7 }))
      .join('') +
    out('ok') +
    END,
  'body in many records': out(HEAD) + bytewise('some text').map(out).join('') + END,
  'body in many padded records':
    out(HEAD) +
    bytewise('some text')
      .map((text, n) => record(STDOUT, text, { padding: n * 31 }))
      .join('') +
    END,
  'padding 255': record(STDOUT, `${HEAD}ok`, { padding: 255 }) + record(STDOUT, '', { padding: 255 }) + END,
  'padded end': out(`${HEAD}ok`) + record(3, '\0\0\0\0\0\0\0\0', { padding: 8 }),
  'padding cut': record(STDOUT, `${HEAD}ok`, { padding: 8 }).slice(0, -4),
  'padding of the end cut': out(`${HEAD}ok`) + record(3, '\0\0\0\0\0\0\0\0', { padding: 8 }).slice(0, -4),
  'record of 65535': out(HEAD) + out(long(65535)) + END,
  'records of 65535': out(HEAD) + out(long(65535)) + record(STDOUT, long(65535), { padding: 255 }) + END,
  'body large': out(HEAD) + Array.from({ length: 20 }, () => out(long(30000))).join('') + END,
  'body large with stderr':
    out(HEAD) + Array.from({ length: 9 }, (_, n) => out(long(9000)) + err(`line ${n}`)).join('') + END,
  'stderr before': err('words') + OK,
  'stderr twice before': err('words') + err('more words') + OK,
  'stderr in the head': out('Content-Type: te') + err('words') + out('xt/plain\r\n\r\nok') + END,
  'stderr between head and body': out(HEAD) + err('words') + out('ok') + END,
  'stderr in the body': out(`${HEAD}o`) + err('words') + out('k') + END,
  'stderr behind the body': out(`${HEAD}ok`) + err('words') + END,
  'stderr behind the STDOUT': out(`${HEAD}ok`) + out('') + err('words') + END,
  'stderr behind all that was promised': out(`${SIZED}ok`) + err('words') + END,
  'stderr behind the end': out(`${HEAD}ok`) + END + err('words'),
  'stderr alone': err('words') + END,
  'stderr alone, no end': err('words'),
  'stderr empty': err('') + OK,
  'stderr empty behind': out(`${HEAD}ok`) + out('') + err('') + END,
  'stderr padded': record(STDERR, 'words', { padding: 3 }) + OK,
  'stderr with line ends': err('one\ntwo\r\nthree\n') + OK,
  'stderr with many line ends': err('words. \r\n\r\n') + OK,
  'stderr of line ends': err('\n\n') + OK,
  'stderr of a dot': err('.') + OK,
  'stderr with NUL and quotes': err('a\0b"c\\d\x1b[1m\xe4') + OK,
  'stderr long': err(long(3000)) + OK,
  'stderr longer than the buffer': err(long(9000)) + OK,
  'stderr of 65535': err(long(65535)) + OK,
  'stderr caught': err('this is a catch') + OK,
  'stderr caught in the body': out(`${HEAD}o`) + err('this is a catch') + out('k') + END,
  'stderr caught in two': err('this is a ca') + err('tch') + OK,
  'stderr caught behind': out(`${HEAD}ok`) + err('this is a catch') + END,
  'end with status 1': out(`${HEAD}ok`) + out('') + endOf(1, 0),
  'end unable': out(`${HEAD}ok`) + out('') + endOf(0, 1),
  'end overloaded': out(`${HEAD}ok`) + out('') + endOf(0, 2),
  'end unknown role': out(`${HEAD}ok`) + out('') + endOf(0, 3),
  'end overloaded at once': endOf(0, 2),
  'end at once': END,
  'STDOUT empty at once': out(''),
  'STDOUT empty, end at once': out('') + END,
  'STDOUT empty then an answer': out('') + OK,
  'end in the head': out('Content-Type: te') + END,
  'STDOUT empty in the head': out('Content-Type: te') + out('') + END,
  'end early': out(`${HEAD}o`) + END + out('k') + END,
  'end twice': out(`${HEAD}ok`) + END + END,
  'STDOUT behind STDOUT': out(`${HEAD}o`) + out('') + out('k') + END,
  'STDOUT empty twice': out(`${HEAD}ok`) + out('') + out('') + END,
  'end empty': out(`${HEAD}ok`) + record(3),
  'end short': out(`${HEAD}ok`) + record(3, '\0\0'),
  'end long': out(`${HEAD}ok`) + record(3, '\0'.repeat(30)),
  'end cut': out(`${HEAD}ok`) + END.slice(0, 12),
  'end head cut': out(`${HEAD}ok`) + END.slice(0, 5),
  'record cut': out(`${HEAD}ok and more`).slice(0, -5),
  'record head cut': out(`${HEAD}ok`) + out('more').slice(0, 5),
  'head cut': out(HEAD).slice(0, 20),
  'first head cut': out(HEAD).slice(0, 5),
  'version 0': record(STDOUT, `${HEAD}ok`, { version: 0 }),
  'version 2': record(STDOUT, `${HEAD}ok`, { version: 2 }),
  'version 2 later': out(`${HEAD}o`) + record(STDOUT, 'k', { version: 2 }),
  'id 0': record(STDOUT, `${HEAD}ok`, { id: 0 }),
  'id 2': record(STDOUT, `${HEAD}ok`, { id: 2 }),
  'id 256': record(STDOUT, `${HEAD}ok`, { id: 256 }),
  'id 2 later': out(`${HEAD}o`) + record(STDOUT, 'k', { id: 2 }),
  'id 0 of stderr': record(STDERR, 'words', { id: 0 }) + OK,
  'type 0': record(0, 'x') + OK,
  'type 1': record(1, 'x') + OK,
  'type 5': record(5, 'x') + OK,
  'type 10': record(10, 'x', { id: 0 }) + OK,
  'type 11 later': out(`${HEAD}o`) + record(11, 'x') + out('k') + END,
  'type 255': record(255) + OK,
  HTTP: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  nothing: '',
  'byte by byte': bytewise(out(`${HEAD}ok`) + out('') + END),
  'byte by byte, sized': bytewise(out(`${SIZED}ok`) + out('') + END),
  'byte by byte, padded': bytewise(record(STDOUT, `${HEAD}ok`, { padding: 5 }) + record(3, '\0'.repeat(8))),
  'byte by byte, stderr': bytewise(err('w') + out('A: b\r\n') + err('x') + out('\r\nok') + err('y') + END),
  'byte by byte, HTTP': bytewise('HTTP/1.1 200'),
  'byte by byte, id 2': bytewise(record(STDOUT, '', { id: 2 })),
}

/** Cut in two, the second part a moment later. */
const CUT =
  err('words\n') + out('A: b\r\nContent-Length: 3\r') + record(STDOUT, '\n\r\no', { padding: 2 }) + out('ka') + END
const cuts = Array.from({ length: CUT.length - 1 }, (_, n) => [`cut at ${n + 1}`, halves(CUT, n + 1)] as const)
const LOOSE = out('A: b\r\n\r\n') + record(STDOUT, 'ok', { padding: 2 }) + out('') + END
const looseCuts = Array.from(
  { length: LOOSE.length - 1 },
  (_, n) => [`loose cut at ${n + 1}`, halves(LOOSE, n + 1)] as const,
)

const each = (
  places: readonly string[],
  list: Readonly<Record<string, string | readonly string[] | Answer>>,
  method = 'GET',
  fields: readonly string[] = [],
): Record<string, Case> =>
  Object.fromEntries(
    Object.entries(list).flatMap(([name, answer]) =>
      places.map((place): [string, Case] => [
        `${method === 'GET' ? '' : `${method} `}${place} <- ${name}`,
        {
          send: ask(place, fields, method),
          answers: [typeof answer === 'string' || !('send' in answer) ? { send: answer, after: 'close' } : answer],
        },
      ]),
    ),
  )

const keptConf = server(
  'keepalive_timeout 5s; location /k { fastcgi_keep_conn on; fastcgi_pass kept; } location /o { fastcgi_pass kept; } location /ku { fastcgi_keep_conn on; fastcgi_buffering off; fastcgi_pass kept; }',
)
const GET = (target: string, method = 'GET'): string => `${method} ${target} HTTP/1.1\r\nHost: h\r\n\r\n`
const keptCases = Object.fromEntries(
  Object.entries({
    plain: OK,
    sized: out(`${SIZED}ok`) + out('') + END,
    'no end': out(`${HEAD}ok`) + out(''),
    'no end, sized': out(`${SIZED}ok`),
    'stderr behind the end': OK + err('words'),
    'end twice': OK + END,
    'end padded': out(`${HEAD}ok`) + record(3, '\0'.repeat(8), { padding: 8 }),
    'end padded cut': out(`${HEAD}ok`) + record(3, '\0'.repeat(8), { padding: 8 }).slice(0, -3),
    'another answer behind': OK + OK,
    'part of a record behind': OK + '\x01\x06',
    'garbage behind': `${OK}xyz`,
    'more than was promised': out(`${SIZED}okay`) + END,
    'end with status 1': out(`${HEAD}ok`) + endOf(1, 0),
    'end overloaded': out(`${HEAD}ok`) + endOf(0, 2),
    'status 204': out('Status: 204 No\r\n\r\n') + END,
    'status 304': out('Status: 304 No\r\n\r\n') + END,
    'status 204 with body': out('Status: 204 No\r\n\r\nbody') + END,
    'sized of 0': out('Content-Length: 0\r\n\r\n') + END,
    'sized of 0 no end': out('Content-Length: 0\r\n\r\n'),
    bytewise: bytewise(OK),
    'end late': [out(`${SIZED}ok`), out('') + END],
    'end later': [out(`${HEAD}ok`), out(''), END],
  }).flatMap(([name, send]) =>
    ['/k', '/ku', '/o'].flatMap((place): [string, Case][] =>
      (place === '/k' ? ['GET', 'HEAD'] : ['GET']).map((method) => [
        `${method} ${place} <- ${name}`,
        {
          send: [GET(`${place}1`, method), GET(`${place}2`), ask(`${place}3`)],
          answers: [place === '/o' ? { send, after: 'close' } : { send }, { send: OK }, { send: OK, after: 'close' }],
        },
      ]),
    ),
  ),
)

const params = (inner: string): string =>
  server(`index index.php; ${inner}`).replace('fastcgi_param SCRIPT_NAME $fastcgi_script_name;', '')
const SPLIT =
  'fastcgi_param S $fastcgi_script_name; fastcgi_param P $fastcgi_path_info; fastcgi_pass 127.0.0.1:%%PORT_6%%;'
const requestsConf = params(`
  fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param QUERY_STRING $query_string;
  location / { ${SPLIT} }
  location /plain { fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /php/ { fastcgi_index index.php; fastcgi_split_path_info ^(.+\\.php)(.*)$; ${SPLIT} }
  location /slash/ { fastcgi_index start.php; fastcgi_split_path_info ^(/slash/[a-z]*)(/.*)?$; ${SPLIT} }
  location /named/ { fastcgi_split_path_info ^(?<a>.+\\.php)(?<b>/.*)$; ${SPLIT} }
  location /try/ { fastcgi_split_path_info ^(.+\\.php)(/.*)$; try_files $fastcgi_script_name =404; ${SPLIT} }
  location /rw/ { rewrite ^/rw(/.*)$ $1 break; fastcgi_split_path_info ^(.+\\.php)(/.*)$; ${SPLIT} }
  location ~ ^/re/(?<x>.*)\\.php$ { fastcgi_index i.php; fastcgi_param X $x; ${SPLIT} }
  location /if { fastcgi_param A $arg_a if_not_empty; fastcgi_param B $arg_b; fastcgi_param C "" if_not_empty; fastcgi_param D ""; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /over { fastcgi_param HTTP_A own; fastcgi_param HTTP_B ""; fastcgi_param HTTP_C $http_a if_not_empty; fastcgi_param HTTP_D $http_none if_not_empty; fastcgi_param http_e x; fastcgi_param HTTP_ y; fastcgi_param HTTP_COOKIE $http_cookie; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /same { fastcgi_param A 1; fastcgi_param A 2; fastcgi_param HTTP_A 3; fastcgi_param HTTP_A 4; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /nohead { fastcgi_pass_request_headers off; fastcgi_param HTTP_A own; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /nobody { fastcgi_pass_request_body off; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /nobody0 { fastcgi_pass_request_body off; fastcgi_param CONTENT_LENGTH ""; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /stream { fastcgi_request_buffering off; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /streamlen { fastcgi_param OTHER $request_length; fastcgi_request_buffering off; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /big { fastcgi_param BIG $arg_a$arg_a$arg_a$arg_a$arg_a$arg_a$arg_a$arg_a; fastcgi_param B2 $arg_b$arg_b$arg_b$arg_b$arg_b; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /var { set $b 127.0.0.1:%%PORT_6%%; fastcgi_pass $b; }
  location /vargroup { set $b two; fastcgi_pass $b; }
  location /varbad { fastcgi_pass $arg_b; }
  location /group { fastcgi_pass two; }
  location /half { fastcgi_pass half; }
  location /dead { fastcgi_pass 127.0.0.1:%%PORT_8%%; }
  location /limit { client_max_body_size 5; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /infile { client_body_in_file_only clean; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  location /index/ { alias %%DIR%%/www/; }
  location /ifin { if ($arg_p) { fastcgi_pass 127.0.0.1:%%PORT_6%%; } }
  location /slashless/ { fastcgi_pass 127.0.0.1:%%PORT_6%%; }
  underscores_in_headers on;
`)

const requestTargets = [
  '/',
  '/a.php',
  '/a.php?b=c',
  '/a%20b',
  '/a+b',
  '/%e4',
  '/a//b',
  '/a/../b',
  '/dir/',
  '/php/',
  '/php/a.php',
  '/php/a.php/info',
  '/php/a.php/b.php/c',
  '/php/a',
  '/php/a.php%0a/x',
  '/php/%2e%2e/a.php',
  '/php/a.php/',
  '/php/a.php%00',
  '/slash/abc/def',
  '/slash/abc',
  '/slash/',
  '/slash/ABC',
  '/slash/abc/x/',
  '/named/a.php/b',
  '/named/a.php',
  '/try/a.php',
  '/try/a.php/b',
  '/rw/a.php/b',
  '/re/a.php',
  '/re/dir/.php',
  '/if',
  '/if?a=1',
  '/if?b=1',
  '/if?a=1&b=2&c=3',
  '/over',
  '/same',
  '/nohead',
  '/var',
  '/vargroup',
  '/varbad',
  '/varbad?b=127.0.0.1:99999',
  '/varbad?b=%20',
  '/group',
  '/half',
  '/dead',
  '/ifin',
  '/ifin?p=1',
  '/slashless',
  '/index/',
  '/index/a.php',
  `/big?a=${'x'.repeat(10)}`,
  `/big?a=${'x'.repeat(16)}`,
  `/big?a=${'x'.repeat(15)}y&b=${'z'.repeat(26)}`,
  `/big?a=${'x'.repeat(900)}&b=1`,
  '/plain?a=%20%00',
]
const requestFields: readonly (readonly string[])[] = [
  ['A: a'],
  ['A: a', 'A: b'],
  ['a: a', 'A: b'],
  ['X-Y: a', 'X_Y: b'],
  ['X.Y: a'],
  ['X-Y-: a'],
  ['A:'],
  ['A:', 'A: b'],
  ['Content-Type: t', 'X: a'],
  ['Content-Type:'],
  ['Proxy: x'],
  ['Http-A: x'],
  ['Cookie: a=b', 'Cookie: c=d'],
  ['Cookie: a=b; c=d'],
  ['Host: other'],
  ['Host: h:80', 'A: a'],
  ['Host: H'],
  ['Accept: a', 'X: b', 'Accept: c'],
  ['User-Agent: u', 'Referer: r'],
  ['X-Forwarded-For: a', 'X-Forwarded-For: b'],
  ['Authorization: Basic YTpi'],
  ['Range: bytes=0-1', 'If-Range: "a"'],
  ['If-None-Match: "a"', 'If-Modified-Since: x', 'If-Match: *', 'If-Unmodified-Since: y'],
  ['TE: trailers', 'Keep-Alive: x', 'Upgrade: h2c'],
  ['Expect: 100-continue'],
  [`Long: ${'x'.repeat(127)}`],
  [`Long: ${'x'.repeat(128)}`],
  [`Long: ${'x'.repeat(3000)}`],
  [`${'n'.repeat(121)}: 1`],
  [`${'n'.repeat(122)}: 1`, `${'n'.repeat(123)}: 1`],
  ['A: \xe4'],
  ["!#$%&'*+^`|~: odd"],
  ['E: a', 'Http_e: b'],
  ['A_: a', '_: b', '-: c'],
]
const bodyPlaces = [
  '/plain',
  '/nobody',
  '/nobody0',
  '/stream',
  '/streamlen',
  '/nohead',
  '/half',
  '/limit',
  '/infile',
  '/ifin?p=1',
]
const bodies = (place: string): [string, Case][] => {
  const answers = [closing(OK)]
  return [
    [`POST ${place}`, { send: ask(place, ['Content-Length: 3'], 'POST', 'abc'), answers }],
    [`POST empty ${place}`, { send: ask(place, ['Content-Length: 0'], 'POST'), answers }],
    [`POST none ${place}`, { send: ask(place, [], 'POST'), answers }],
    [`PUT typed ${place}`, { send: ask(place, ['Content-Type: x/y', 'Content-Length: 3'], 'PUT', 'abc'), answers }],
    [
      `POST chunked ${place}`,
      { send: ask(place, ['Transfer-Encoding: chunked'], 'POST', '3\r\nabc\r\n0\r\n\r\n'), answers },
    ],
    [
      `POST chunks ${place}`,
      { send: ask(place, ['Transfer-Encoding: chunked'], 'POST', '1\r\na\r\n2\r\nbc\r\n0\r\n\r\n'), answers },
    ],
    [`POST chunked empty ${place}`, { send: ask(place, ['Transfer-Encoding: chunked'], 'POST', '0\r\n\r\n'), answers }],
    [`POST chunked bad ${place}`, { send: ask(place, ['Transfer-Encoding: chunked'], 'POST', '1\r\naXX'), answers }],
    [`POST large ${place}`, { send: ask(place, ['Content-Length: 70001'], 'POST', long(70001)), answers }],
    [
      `POST chunked large ${place}`,
      {
        send: ask(
          place,
          ['Transfer-Encoding: chunked'],
          'POST',
          `${(40000).toString(16)}\r\n${long(40000)}\r\n0\r\n\r\n`,
        ),
        answers,
      },
    ],
    [`POST cut ${place}`, { send: ask(place, ['Content-Length: 9'], 'POST', 'abc'), end: true, answers }],
    [`GET body ${place}`, { send: ask(place, ['Content-Length: 3'], 'GET', 'abc'), answers }],
    [`HEAD body ${place}`, { send: ask(place, ['Content-Length: 3'], 'HEAD', 'abc'), answers }],
    [
      `POST expects ${place}`,
      { send: ask(place, ['Content-Length: 3', 'Expect: 100-continue'], 'POST', 'abc'), answers },
    ],
    [
      `POST answered early ${place}`,
      { send: ask(place, ['Content-Length: 3'], 'POST', 'abc'), answers: [{ send: OK, early: true, after: 'close' }] },
    ],
    [
      `POST large answered early ${place}`,
      {
        send: ask(place, ['Content-Length: 70001'], 'POST', long(70001)),
        answers: [{ send: OK, early: true, after: 'close' }],
      },
    ],
  ]
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
  'error timeout non_idempotent',
  'invalid_header updating',
]
const NEXT_ANSWERS: Record<string, string | Answer> = {
  nothing: '',
  reset: { send: '', after: 'reset' },
  silence: { send: '' },
  'silence in the head': { send: out('A: b') },
  'head cut': out('A: b'),
  'bad record': 'HTTP/1.1 200 OK\r\n\r\n',
  'bad head': out('junk\r\n\r\n'),
  'end at once': END,
  'end overloaded': endOf(0, 2),
  caught: err('this is a catch') + OK,
  '500': out('Status: 500 E\r\n\r\nno') + END,
  '502': out('Status: 502 E\r\n\r\nno') + END,
  '503': out('Status: 503 E\r\n\r\nno') + END,
  '403': out('Status: 403 E\r\n\r\nno') + END,
  '404': out('Status: 404 E\r\n\r\nno') + END,
  '429': out('Status: 429 E\r\n\r\nno') + END,
  'body cut': out(`${SIZED}o`),
}

/** What is asked about FastCGI. */
export const fastcgiGroups: readonly Group[] = [
  {
    name: 'gateways: fastcgi records',
    speech: 'fastcgi',
    http: server(`
      location /b { fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /u { fastcgi_buffering off; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /k { fastcgi_keep_conn on; fastcgi_pass kept; }
      location /c { fastcgi_catch_stderr catch; fastcgi_pass 127.0.0.1:%%PORT_6%%; }`),
    cases: {
      ...each(['/b', '/u', '/k'], RECORDS),
      ...each(['/c'], Object.fromEntries(Object.entries(RECORDS).filter(([name]) => name.includes('stderr')))),
      ...each(['/b', '/k'], RECORDS, 'HEAD'),
      ...each(['/b'], Object.fromEntries([...cuts, ...looseCuts])),
    },
  },
  {
    name: 'gateways: fastcgi kept',
    speech: 'fastcgi',
    http: keptConf,
    cases: keptCases,
  },
  {
    name: 'gateways: fastcgi heads',
    speech: 'fastcgi',
    files,
    http: server(`
      location /b { fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /i { fastcgi_intercept_errors on; error_page 300 301 302 400 401 404 416 500 502 503 504 /err.html; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /f { fastcgi_hide_header X; fastcgi_hide_header Content-Type; fastcgi_pass_header Status; fastcgi_pass_header X-Accel-Expires; fastcgi_pass_header Server; fastcgi_pass_header Date; fastcgi_force_ranges on;
        fastcgi_ignore_headers X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset X-Accel-Expires Set-Cookie; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location = /inner { internal; return 200 "inner $uri $args $request_method\\n"; }
      location @at { return 200 "at $uri $args\\n"; }`),
    cases: {
      ...each(
        ['/b', '/i', '/f'],
        Object.fromEntries(Object.entries(CGI_HEADS).map(([name, text]) => [name, out(text) + END])),
      ),
      ...each(
        ['/b'],
        Object.fromEntries(Object.entries(CGI_HEADS).map(([name, text]) => [name, out(text) + END])),
        'HEAD',
      ),
    },
  },
  {
    name: 'gateways: fastcgi requests',
    speech: 'fastcgi',
    files: { 'www/index.php': 'script', 'www/try/a.php': 'script', 'www/a.php': 'script' },
    http: requestsConf,
    cases: Object.fromEntries([
      ...requestTargets.map((target): [string, Case] => [
        target.length > 60 ? `${target.slice(0, 20)} ${target.length}` : target,
        { send: ask(target), answers: [closing(OK)] },
      ]),
      ...requestFields.flatMap((fields) =>
        ['/plain', '/over', '/nohead'].map((place): [string, Case] => [
          `${place} ${fields.map((field) => field.slice(0, 30)).join(', ')}${fields[0]!.length > 30 ? ` ${fields[0]!.length}` : ''}`,
          { send: ask(place, fields), answers: [closing(OK)] },
        ]),
      ),
      ...bodyPlaces.flatMap(bodies),
    ]),
  },
  {
    name: 'gateways: fastcgi next',
    speech: 'fastcgi',
    files,
    http: server(
      NEXT.map(
        (words, n) =>
          `location /n${n} { fastcgi_catch_stderr catch; fastcgi_next_upstream ${words}; fastcgi_pass two; }`,
      ).join('\n') +
        `location /tries { fastcgi_next_upstream http_500 error; fastcgi_next_upstream_tries 1; fastcgi_pass two; }
        location /i { fastcgi_next_upstream http_500; fastcgi_intercept_errors on; error_page 500 502 /err.html; fastcgi_pass two; }
        location /e { error_page 502 504 = @again; fastcgi_pass 127.0.0.1:%%PORT_6%%; } location @again { fastcgi_pass 127.0.0.1:%%PORT_7%%; }`,
    ).replace('fastcgi_read_timeout 400ms', 'fastcgi_read_timeout 60ms'),
    cases: Object.fromEntries(
      [...NEXT.map((_, n) => `/n${n}`), '/tries', '/i', '/e'].flatMap((place) =>
        Object.entries(NEXT_ANSWERS).flatMap(([name, answer]): [string, Case][] => {
          const first: Answer = typeof answer === 'string' ? closing(answer) : answer
          return [
            [`${place} <- ${name}`, { send: ask(place), answers: [first, closing(OK)] }],
            [`${place} <- ${name} both`, { send: ask(place), answers: [first] }],
            [
              `POST ${place} <- ${name}`,
              { send: ask(place, ['Content-Length: 1'], 'POST', 'x'), answers: [first, closing(OK)] },
            ],
          ]
        }),
      ),
    ),
  },
]
