/** Who is let in: forms of user files and credentials, `satisfy`, `auth_request`, and limits of requests and connections. */
import { type Answer, ask, type Case, type Group, targets } from '../case.ts'

/** Passwords are `p`. */
const USERS: Readonly<Record<string, string>> = {
  plain: 'u:{PLAIN}p\n',
  'no last line feed': 'u:{PLAIN}p',
  'line ends of Windows': 'v:{PLAIN}q\r\nu:{PLAIN}p\r\n',
  'a comment behind': 'u:{PLAIN}p:a comment\n',
  'comments and empty lines': '# u:{PLAIN}q\n\n\r\n  \n#\nu:{PLAIN}p\n',
  'twice, the first is wrong': 'u:{PLAIN}q\nu:{PLAIN}p\n',
  'twice, the first is right': 'u:{PLAIN}p\nu:{PLAIN}q\n',
  'longer names before': 'uu:{PLAIN}p\nu2:{PLAIN}p\nu:{PLAIN}p\n',
  'a space before': ' u:{PLAIN}p\n',
  'a space behind': 'u:{PLAIN}p \n',
  'a name alone': 'u\n',
  'a name and a colon': 'u:\n',
  'a name and a colon at the end': 'u:',
  'an empty file': '',
  'a NUL': 'u:{PLAIN}p\0q\n',
  'high bytes': 'u\xe9:{PLAIN}p\xe9\nu:{PLAIN}p\n',
  'an unknown scheme': 'u:{NONE}p\n',
  'lower case scheme': 'u:{plain}p\n',
  'no scheme closed': 'u:{PLAIN\n',
  sha: 'u:{SHA}UWuEfcZ/mj9aWsPsLJ6bAYQBnMg=\n',
  'sha, wrong': 'u:{SHA}UWuEfcZ/mj9aWsPsLJ6bAYQBnMk=\n',
  'sha, not base64': 'u:{SHA}!!!\n',
  'sha, empty': 'u:{SHA}\n',
  ssha: 'u:{SSHA}1ckKm9ubM4LQYVEiLGPlkOfHrTxhYmNk\n',
  'ssha, short': 'u:{SSHA}QUJD\n',
  'ssha, not base64': 'u:{SSHA}!!!!\n',
  apr1: 'u:$apr1$abcdefgh$VJG9VLOQ3e1YGMY8TxHGk0\n',
  'apr1, cut': 'u:$apr1$abc\n',
  md5: 'u:$1$abcdefgh$GHrtSQVY/Bhej/LRaJqGf.\n',
  sha256: 'u:$5$abcdefgh$2hnIgxjZxGwd7wePQ.l6IcRvXyoZxnmTaRMMbPWCtv5\n',
  'crypt of nothing': 'u:x\n',
  'crypt with a bad salt': 'u:::\n',
}
const names = Object.keys(USERS)
const files: Record<string, string> = {
  'www/a.txt': 'a file\n',
  'www/page.html': '<!--# include virtual="/f0/a.txt" -->|<!--# include virtual="/sub-any/a.txt" -->\n',
  ...Object.fromEntries(names.map((name, n) => [`users/${n}`, USERS[name]!])),
  'users/folder/x': '',
}

const http = `
limit_req_zone $arg_k zone=one:1m rate=1r/m; limit_req_zone $arg_l zone=two:1m rate=2r/m;
limit_conn_zone $arg_k zone=c:1m; limit_conn_zone $server_name zone=d:1m;
server { listen 127.0.0.1:%%PORT_0%%; server_name h; root %%DIR%%/www; types { text/plain txt; text/html html; }
  ${names.map((_, n) => `location /f${n}/ { alias %%DIR%%/www/; auth_basic "r${n}"; auth_basic_user_file %%DIR%%/users/${n}; add_header U "$remote_user" always; }`).join('\n  ')}
  location /none/ { alias %%DIR%%/www/; auth_basic r; auth_basic_user_file %%DIR%%/users/none; }
  location /folder/ { alias %%DIR%%/www/; auth_basic r; auth_basic_user_file %%DIR%%/users/folder; }
  location /empty-name/ { alias %%DIR%%/www/; auth_basic r; auth_basic_user_file "$arg_none"; }
  location /by/ { alias %%DIR%%/www/; auth_basic $arg_r; auth_basic_user_file %%DIR%%/users/$arg_f; }
  location /by/off/ { alias %%DIR%%/www/; auth_basic off; }
  location /quote/ { alias %%DIR%%/www/; auth_basic 'a "b" \\c'; auth_basic_user_file %%DIR%%/users/0; }
  location /page-401/ { alias %%DIR%%/www/; auth_basic p; auth_basic_user_file %%DIR%%/users/0; error_page 401 /e/401; }
  location /page-200/ { alias %%DIR%%/www/; auth_basic p; auth_basic_user_file %%DIR%%/users/0; error_page 401 =200 /e/200; }
  location /page-named/ { alias %%DIR%%/www/; auth_basic p; auth_basic_user_file %%DIR%%/users/0; error_page 401 = @e; }
  location /limited/ { alias %%DIR%%/www/; limit_except GET { auth_basic l; auth_basic_user_file %%DIR%%/users/0; } proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location /back/ { auth_basic b; auth_basic_user_file %%DIR%%/users/0; proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location /st/ { error_page 401 /e/$status; error_page 403 =200 /e/$status; error_page 404 = /e/$status; error_page 405 =301 http://x/$status; error_page 406 http://x/$status; error_page 494 495 496 497 /e/$status; error_page 410 = @e; if ($arg_s = 401) { return 401; } if ($arg_s = 403) { return 403; } if ($arg_s = 404) { return 404; } if ($arg_s = 405) { return 405; } if ($arg_s = 406) { return 406; } if ($arg_s = 410) { return 410; } if ($arg_s = 494) { return 494; } if ($arg_s = 495) { return 495; } if ($arg_s = 496) { return 496; } return 497; }
  location /e/ { return 200 "page $uri $remote_user\\n"; } location @e { return 200 "named $uri $status\\n"; }
  location /page.html { ssi on; }
  location /any-allow/ { alias %%DIR%%/www/; satisfy any; allow all; auth_basic s; auth_basic_user_file %%DIR%%/users/0; }
  location /any-deny/ { alias %%DIR%%/www/; satisfy any; deny all; auth_basic s; auth_basic_user_file %%DIR%%/users/0; }
  location /any-basic/ { alias %%DIR%%/www/; satisfy any; auth_basic s; auth_basic_user_file %%DIR%%/users/0; }
  location /any-sub/ { alias %%DIR%%/www/; satisfy any; auth_basic s; auth_basic_user_file %%DIR%%/users/0; auth_request /sub?s=$arg_s; auth_request_set $t $upstream_http_t; add_header T "$t" always; }
  location /any-three/ { alias %%DIR%%/www/; satisfy any; deny all; auth_basic s; auth_basic_user_file %%DIR%%/users/0; auth_request /sub; }
  location /all-three/ { alias %%DIR%%/www/; satisfy all; allow all; auth_basic s; auth_basic_user_file %%DIR%%/users/0; auth_request /sub; auth_request_set $t $upstream_http_t; add_header T "$t" always; }
  location /any-broken/ { alias %%DIR%%/www/; satisfy any; deny all; auth_basic s; auth_basic_user_file %%DIR%%/users/none; }
  location /any-pages/ { alias %%DIR%%/www/; satisfy any; deny all; auth_basic s; auth_basic_user_file %%DIR%%/users/0; error_page 401 403 /e/any; }
  location /sub-any/ { alias %%DIR%%/www/; satisfy any; deny all; auth_basic s; auth_basic_user_file %%DIR%%/users/0; }
  location = /sub { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Connection ""; }
  location = /sub-body { proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location = /sub-gone { return 404; } location = /sub-301 { return 301 /x; } location = /sub-204 { return 204; } location = /sub-file { alias %%DIR%%/www/a.txt; }
  location = /sub-page { return 401; error_page 401 /sub-204; } location = /sub-dead { proxy_pass http://127.0.0.1:%%PORT_8%%; }
  location = /sub-loop { auth_request /sub-loop; return 200; } location = /sub-basic { auth_basic sub; auth_basic_user_file %%DIR%%/users/0; alias %%DIR%%/www/a.txt; }
  location = /sub-cut { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_buffering off; proxy_set_header Content-Length ""; proxy_set_header Connection ""; } location = /sub-intercept { proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_intercept_errors on; proxy_set_header Content-Length ""; proxy_set_header Connection ""; error_page 403 =200 /sub-204; }
  ${'sub sub-body sub-gone sub-301 sub-204 sub-file sub-page sub-dead sub-loop sub-basic sub-cut sub-intercept'
    .split(' ')
    .map(
      (
        name,
      ) => `location /r-${name}/ { alias %%DIR%%/www/; auth_request /${name}; auth_request_set $t $upstream_http_t; auth_request_set $st $upstream_status; auth_request_set $u $uri; add_header T "$t|$st|$u|$arg_x" always; }
  location /p-${name}/ { auth_request /${name}; auth_request_set $t $upstream_http_t; proxy_set_header T $t; proxy_set_header Connection ""; proxy_pass http://127.0.0.1:%%PORT_7%%; error_page 401 = @e; }`,
    )
    .join('\n  ')}
  location /q/ { limit_req zone=one; return 200 x; alias %%DIR%%/www/; }
  location /q1/ { limit_req zone=one; alias %%DIR%%/www/; }
  location /q-burst/ { limit_req zone=one burst=2 nodelay; alias %%DIR%%/www/; add_header S "$limit_req_status" always; }
  location /q-delay/ { limit_req zone=one burst=3 delay=2; limit_req_dry_run on; alias %%DIR%%/www/; add_header S "$limit_req_status" always; }
  location /q-dry/ { limit_req zone=one; limit_req_dry_run on; limit_req_log_level info; alias %%DIR%%/www/; add_header S "$limit_req_status" always; }
  location /q-both/ { limit_req zone=one; limit_req zone=two burst=1 nodelay; limit_req_status 429; limit_req_log_level warn; alias %%DIR%%/www/; add_header S "$limit_req_status" always; }
  location /q-page/ { limit_req zone=one; limit_req_status 444; alias %%DIR%%/www/; }
  location /q-error/ { limit_req zone=one; error_page 503 /q1/a.txt; alias %%DIR%%/www/; add_header S "$limit_req_status" always; }
  location /q-named/ { limit_req zone=one; error_page 503 =200 @e; alias %%DIR%%/www/; }
  location /q-back/ { limit_req zone=one; proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location /c/ { limit_conn c 1; alias %%DIR%%/www/; add_header S "$limit_conn_status" always; }
  location /c-two/ { limit_conn c 1; limit_conn d 1; limit_conn_status 429; limit_conn_log_level notice; alias %%DIR%%/www/; add_header S "$limit_conn_status" always; ssi on; ssi_types *; }
  location /c-sub/ { limit_conn c 1; auth_request /c/a.txt; alias %%DIR%%/www/; add_header S "$limit_conn_status" always; }
  location /c-back/ { limit_conn c 1; limit_conn d 3; proxy_pass http://127.0.0.1:%%PORT_6%%; }
}`

function basic(text: string): string {
  return `Authorization: Basic ${Buffer.from(text, 'latin1').toString('base64')}`
}
const RIGHT = basic('u:p')
const WRONG = basic('u:q')

const users: Record<string, Case> = Object.fromEntries(
  names.flatMap((name, n) =>
    [['p', RIGHT] as const, ['q', WRONG] as const, ['no password', basic('u:')] as const].map(
      ([how, field]): [string, Case] => [`${name}: ${how}`, { send: ask(`/f${n}/a.txt`, [field]) }],
    ),
  ),
)

const CREDENTIALS: readonly (readonly string[])[] = [
  [],
  [RIGHT],
  [WRONG],
  [basic('u')],
  [basic('')],
  [basic(':')],
  [basic(':p')],
  [basic('u:p:q')],
  [basic('U:p')],
  [basic('u\n:p')],
  [basic('\0:p')],
  [basic('#:p')],
  [basic('u:p\0')],
  ['Authorization: Basic'],
  ['Authorization: Basic '],
  [`Authorization: basic ${RIGHT.slice(21)}`],
  [`Authorization: Basic   ${RIGHT.slice(21)}`],
  [`Authorization: Basic\t${RIGHT.slice(21)}`],
  [`Authorization: Basic ${RIGHT.slice(21)} x`],
  ['Authorization: Basic !!!'],
  ['Authorization: Basic dTpw='],
  ['Authorization: Basic dTpw=='],
  ['Authorization: Basic dTpwA'],
  ['Authorization: Bearer dTpw'],
  [`Proxy-${RIGHT}`],
  [WRONG, RIGHT],
]
const credentials: Record<string, Case> = {
  ...Object.fromEntries(
    ['/f0/a.txt', '/f0/none', '/any-basic/a.txt'].flatMap((target) =>
      CREDENTIALS.map((fields): [string, Case] => [
        `${target} ${fields.map((field) => JSON.stringify(field)).join(' ')}`,
        { send: ask(target, fields) },
      ]),
    ),
  ),
  ...Object.fromEntries(
    [
      '/none/a.txt',
      '/folder/a.txt',
      '/empty-name/a.txt',
      '/by/a.txt?r=x&f=0',
      '/by/a.txt?r=&f=0',
      '/by/a.txt?r=off&f=0',
      '/by/a.txt?r=x&f=none',
      '/by/a.txt?r=x&f=1/x',
      '/by/a.txt?r=x',
      '/by/off/a.txt',
      '/quote/a.txt',
      '/page-401/a.txt',
      '/page-200/a.txt',
      '/page-named/a.txt',
      '/limited/a.txt',
      '/back/x',
      '/page.html',
    ].flatMap((target) =>
      ['GET', 'HEAD', 'POST'].flatMap((method) =>
        [[], [RIGHT], [WRONG]].map((fields, n): [string, Case] => {
          const body = method === 'POST' ? 'abc' : ''
          const length = body === '' ? [] : ['Content-Length: 3']
          return [
            `${method} ${target} ${['no one', 'right', 'wrong'][n]}`,
            { send: ask(target, [...fields, ...length], method, body) },
          ]
        }),
      ),
    ),
  ),
  ...targets('401 403 404 405 406 410 494 495 496 497'.split(' ').map((status) => `/st/?s=${status}`)),
  'kept after 401': {
    send: ['/f0/a.txt', '/f0/a.txt', '/back/x'].map((target, n) =>
      [`POST ${target} HTTP/1.1`, 'Host: h', 'Content-Length: 3', ...(n === 1 ? [RIGHT] : []), '', 'abc'].join('\r\n'),
    ),
  },
}

function answer(status: string, fields: readonly string[] = [], body = ''): Answer {
  return { send: [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n') }
}
const VERDICTS: Readonly<Record<string, Answer>> = {
  200: answer('200 OK', ['T: t'], 'body'),
  204: answer('204 None', ['T: t']),
  299: answer('299 Odd', ['T: t']),
  301: answer('301 Moved', ['Location: /x']),
  304: answer('304 Not', ['T: t']),
  400: answer('400 Bad', ['T: t'], 'bad'),
  401: answer('401 No', ['WWW-Authenticate: Basic realm="a"', 'T: t'], 'no'),
  '401 twice': answer('401 No', ['WWW-Authenticate: Basic realm="a"', 'WWW-Authenticate: Digest', 'T: t']),
  '401 bare': answer('401 No'),
  403: answer('403 No', ['T: t', 'WWW-Authenticate: Basic realm="b"']),
  404: answer('404 No'),
  500: answer('500 Bad', ['T: t']),
  cut: { send: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nT: t\r\n\r\nab', after: 'close' },
  closed: { send: '', after: 'close' },
  broken: { send: 'nonsense\r\n\r\n', after: 'close' },
  chunked: { send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nT: t\r\n\r\n3\r\nabc\r\n0\r\n\r\n' },
}
const satisfied: Record<string, Case> = Object.fromEntries(
  'any-allow any-deny any-basic any-three all-three any-broken any-pages'
    .split(' ')
    .flatMap((place) =>
      [[], [RIGHT], [WRONG]].flatMap((fields, n) =>
        ['200', '401', '403', '500'].map((status): [string, Case] => [
          `${place} ${['no one', 'right', 'wrong'][n]} ${status}`,
          { send: ask(`/${place}/a.txt`, fields), answers: [VERDICTS[status]!] },
        ]),
      ),
    ),
)
const LENGTH = ['Content-Length: 3', 'Cookie: a=b']
const asked: Record<string, Case> = Object.fromEntries(
  'sub sub-body sub-gone sub-301 sub-204 sub-file sub-page sub-dead sub-loop sub-basic sub-cut sub-intercept'
    .split(' ')
    .flatMap((place) =>
      Object.entries(/sub$|body|cut|intercept/.test(place) ? VERDICTS : { 200: VERDICTS['200']! }).flatMap(
        ([status, verdict]) =>
          [
            ['GET', ask(`/r-${place}/a.txt?x=y`, [RIGHT])],
            ['HEAD', ask(`/r-${place}/a.txt`, [], 'HEAD')],
            ['range', ask(`/r-${place}/a.txt`, ['Range: bytes=1-2', 'If-None-Match: "x"'])],
            // Where the length goes with the question nginx waits for a body: once is enough.
            ...(place === 'sub-body' && status !== '200'
              ? []
              : [['POST', ask(`/p-${place}/x`, LENGTH, 'POST', 'abc')]]),
            ['chunked', ask(`/p-${place}/x`, ['Transfer-Encoding: chunked'], 'PUT', '3\r\nabc\r\n0\r\n\r\n')],
          ].map(([how, send]): [string, Case] => [
            `${place} ${how} ${status}`,
            { send: send!, answers: [verdict, answer('200 OK', [], 'passed')] },
          ]),
      ),
    ),
)

let key = 0
function again(place: string, count: number, more = ''): Case {
  key += 1
  const target = `/${place}/${place.endsWith('back') ? 'x' : 'a.txt'}?k=${key}${more.replaceAll('N', `${key}`)}`
  return { send: Array.from({ length: count }, () => `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`) }
}
const limits: Record<string, Case> = Object.fromEntries([
  ...'q q1 q-burst q-delay q-dry q-both q-page q-error q-named q-back c c-two c-sub c-back'
    .split(' ')
    .flatMap((place): [string, Case][] => [
      [`${place} five`, again(place, 5)],
      [`${place} with another key`, again(place, 3, '&l=N')],
      [`${place} without a key`, { send: ask(`/${place}/a.txt?l=`) }],
      [`${place} a key that is too long`, { send: ask(`/${place}/a.txt?k=${'x'.repeat(70_000)}`.slice(0, 7000)) }],
    ]),
])

/** Its groups. */
export const accessGroups: readonly Group[] = [
  { name: 'access: users', http, files, cases: users },
  { name: 'access: credentials', http, files, cases: credentials },
  { name: 'access: satisfy', http, files, cases: satisfied },
  { name: 'access: auth_request', http, files, cases: asked },
  { name: 'access: limits', http, files, cases: limits },
]
