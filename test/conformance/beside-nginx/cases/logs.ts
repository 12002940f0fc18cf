/** Access logs: what a line says, and which files have it. Logs are asked for as files behind what they tell of. */
import type { Answer, Case, Group } from '../case.ts'

const files = {
  'www/a.txt': 'a file\n',
  'www/empty.txt': '',
  'www/ssi.html': '<!--# include virtual="/sub/one?x=y" --><!--# include virtual="/gone" -->\n',
  'www/big.txt': 'x'.repeat(20_000),
  'logs/.keep': '',
  'closed/.keep': '',
}

const http = `
log_format plain '$uri|$http_x|$arg_a|"$http_user_agent"|$request|$remote_user';
log_format json escape=json '{"u":"$uri","x":"$http_x","a":"$arg_a","n":"$http_none"}';
log_format none escape=none '$uri|$http_x|$arg_a|$http_none|$request_body';
log_format default escape=default '$http_x|$http_none|$arg_a';
log_format parts '$status' '|' "$body_bytes_sent"   '|$bytes_sent';
log_format sizes '$request_method $uri $status $request_length $bytes_sent $body_bytes_sent $sent_http_content_length $content_length $request_completion $pipe $connection_requests $server_protocol';
log_format braces '\${uri}x\${arg_a}-';
log_format short '$request_method $uri $status';
log_format times '$is_time $is_msec $is_iso $is_local';
log_format ups '$uri $upstream_addr|$upstream_status|$upstream_response_length|$upstream_bytes_sent|$upstream_bytes_received|$ups_time|$ups_connect|$ups_header|$upstream_http_x|$upstream_cookie_c';
map $request_time $is_time { ~^\\d+\\.\\d\\d\\d$ time; default "$request_time"; }
map $msec $is_msec { ~^\\d+\\.\\d\\d\\d$ msec; default "$msec"; }
map $time_iso8601 $is_iso { ~^\\d\\d\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d[+-]\\d\\d:\\d\\d$ iso; default "$time_iso8601"; }
map $time_local $is_local { "~^\\d\\d/\\w\\w\\w/\\d\\d\\d\\d:\\d\\d:\\d\\d:\\d\\d [+-]\\d\\d\\d\\d$" local; default "$time_local"; }
map $upstream_response_time $ups_time { "~^(?:[\\d.]+|-)$" one; "~^(?:[\\d.]+|-), (?:[\\d.]+|-)$" two; "~^(?:[\\d.]+|-) : (?:[\\d.]+|-)$" turn; default "$upstream_response_time"; }
map $upstream_connect_time $ups_connect { "~^(?:[\\d.]+|-)$" one; "~^(?:[\\d.]+|-), (?:[\\d.]+|-)$" two; "~^(?:[\\d.]+|-) : (?:[\\d.]+|-)$" turn; default "$upstream_connect_time"; }
map $upstream_header_time $ups_header { "~^-$" none; "~^[\\d.]+$" one; "~^(?:[\\d.]+|-), (?:[\\d.]+|-)$" two; "~^(?:[\\d.]+|-) : (?:[\\d.]+|-)$" turn; default "$upstream_header_time"; }
map $status $loggable { ~^[23] 0; default 1; }
upstream two { server 127.0.0.1:%%PORT_6%% max_fails=0; server 127.0.0.1:%%PORT_7%% max_fails=0; }
upstream dead { server 127.0.0.1:%%PORT_8%%; server 127.0.0.1:%%PORT_6%% backup; }
upstream gone { server 127.0.0.1:%%PORT_8%%; }
server { listen 127.0.0.1:%%PORT_0%%; server_name h; root %%DIR%%/www; types { text/plain txt log; text/html html; }
  access_log %%DIR%%/logs/server$http_l.log sizes;
  location /log/ { access_log off; alias %%DIR%%/logs/; etag off; add_header Last-Modified ""; }
  location /plain { access_log %%DIR%%/logs/plain$http_l.log plain; return 200 x; }
  location /json { access_log %%DIR%%/logs/json$http_l.log json; return 200 x; }
  location /none { access_log %%DIR%%/logs/none$http_l.log none; client_body_in_single_buffer on; proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location /default { access_log %%DIR%%/logs/default$http_l.log default; return 200 x; }
  location /braces { access_log %%DIR%%/logs/braces$http_l.log braces; return 200 x; }
  location /parts { access_log %%DIR%%/logs/parts$http_l.log parts; return 200 abc; }
  location /times { access_log %%DIR%%/logs/times$http_l.log times; return 200 abc; }
  location /several { access_log %%DIR%%/logs/s1$http_l.log parts; access_log %%DIR%%/logs/s2$http_l.log plain; access_log %%DIR%%/logs/s1$http_l.log default; return 200 abc; }
  location /if { access_log %%DIR%%/logs/if$http_l.log parts if=$arg_log; access_log %%DIR%%/logs/if2$http_l.log parts if=$loggable; access_log %%DIR%%/logs/if3$http_l.log parts if=0; access_log %%DIR%%/logs/if4$http_l.log parts if=$arg_log$arg_more; error_page 404 /if-page; location /if/gone { return 404; } return 200 x; }
  location = /if-page { access_log %%DIR%%/logs/page$http_l.log sizes; return 200 page; }
  location /by/ { access_log %%DIR%%/logs/by-$arg_f$http_l.log parts; return 200 x; }
  location /by-cache/ { open_log_file_cache max=2 valid=10s min_uses=1; access_log %%DIR%%/logs/byc-$arg_f$http_l.log parts; return 200 x; }
  location /by-root/ { root %%DIR%%/$arg_r; access_log %%DIR%%/logs/root-$arg_f$http_l.log parts; return 200 x; }
  location /by-folder/ { access_log %%DIR%%/logs/$arg_f/x$http_l.log parts; return 200 x; }
  location /buffered { access_log %%DIR%%/logs/buffered.log parts buffer=64; return 200 x; }
  location /off { access_log off; return 200 x; }
  location /off-in { access_log %%DIR%%/logs/off$http_l.log sizes; if ($arg_off) { access_log off; } return 200 x; }
  location /sizes { access_log %%DIR%%/logs/sizes$http_l.log sizes; }
  location /sizes/back { access_log %%DIR%%/logs/sizes$http_l.log sizes; proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location /sizes/file { access_log %%DIR%%/logs/sizes$http_l.log sizes; alias %%DIR%%/www/; }
  location /sizes/gzip/ { access_log %%DIR%%/logs/sizes$http_l.log sizes; gzip on; gzip_min_length 1; alias %%DIR%%/www/; }
  location /sizes/slow { access_log %%DIR%%/logs/sizes$http_l.log sizes; return 444; }
  location /sizes/ret { access_log %%DIR%%/logs/sizes$http_l.log sizes; return 204; }
  location /sub/ { access_log %%DIR%%/logs/sub$http_l.log sizes; proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location /subs/ { access_log %%DIR%%/logs/main$http_l.log sizes; ssi on; alias %%DIR%%/www/; }
  location /subs-log/ { log_subrequest on; access_log %%DIR%%/logs/main$http_l.log sizes; ssi on; alias %%DIR%%/www/; }
  location /auth/ { access_log %%DIR%%/logs/auth$http_l.log sizes; auth_request /auth-sub; alias %%DIR%%/www/; }
  location = /auth-sub { log_subrequest on; access_log %%DIR%%/logs/auth-sub$http_l.log short; return 204; }
  location /mirror/ { access_log %%DIR%%/logs/mirror$http_l.log sizes; mirror /mirrored; alias %%DIR%%/www/; }
  location = /mirrored { log_subrequest on; access_log %%DIR%%/logs/mirrored$http_l.log short; return 204; }
  location /post/ { access_log %%DIR%%/logs/post$http_l.log sizes; post_action /post-done; alias %%DIR%%/www/; }
  location = /post-done { access_log %%DIR%%/logs/post-done$http_l.log short; proxy_pass http://127.0.0.1:%%PORT_6%%/done?u=$uri&s=$status&b=$body_bytes_sent&t=$bytes_sent&c=$request_completion; proxy_set_header Connection ""; proxy_set_header Content-Length ""; proxy_pass_request_body off; }
  location /add/ { access_log %%DIR%%/logs/add$http_l.log sizes; add_before_body /sub/before; addition_types *; alias %%DIR%%/www/; }
  location /ups/ { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_set_header Connection ""; }
  location /ups/two/ { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_pass http://two; proxy_next_upstream error timeout http_500 http_404; proxy_set_header Connection ""; }
  location /ups/dead/ { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_pass http://dead; proxy_set_header Connection ""; }
  location /ups/gone/ { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_pass http://gone; proxy_set_header Connection ""; }
  location /ups/page/ { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_intercept_errors on; error_page 404 /ups/second; error_page 500 = @ups; proxy_set_header Connection ""; }
  location /ups/dead-page/ { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_pass http://gone; error_page 502 = @ups; proxy_set_header Connection ""; }
  location /ups/local/ { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_intercept_errors on; error_page 404 /ups-local; proxy_set_header Connection ""; }
  location = /ups-local { access_log %%DIR%%/logs/ups$http_l.log ups; return 200 local; }
  location @ups { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_pass http://127.0.0.1:%%PORT_7%%; proxy_set_header Connection ""; }
  location /ups/auth/ { access_log %%DIR%%/logs/ups$http_l.log ups; auth_request /ups-auth; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_set_header Connection ""; }
  location = /ups-auth { internal; proxy_pass http://127.0.0.1:%%PORT_7%%; proxy_set_header Connection ""; }
  location /ups/rewrite { access_log %%DIR%%/logs/ups$http_l.log ups; proxy_set_header Connection ""; proxy_pass http://127.0.0.1:%%PORT_6%%; proxy_next_upstream off; }
  location /inherited/ { location /inherited/own/ { access_log %%DIR%%/logs/own$http_l.log sizes; return 200 x; } return 200 y; }
}`

/** A request on a kept connection. */
function get(target: string, fields: readonly string[] = [], method = 'GET', body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`]
  return [`${method} ${target} HTTP/1.1`, 'Host: h', ...length, ...fields, '', body].join('\r\n')
}

let count = 1000
/** A request, and logs behind it: each case has its own, by a field of this number. */
function logged(first: string | readonly string[], logs: readonly string[], answers: readonly Answer[] = []): Case {
  const number = ++count
  const asked = [first].flat().map((request) => request.replaceAll('Host: h\r\n', `Host: h\r\nL: ${number}\r\n`))
  return {
    send: [...asked, ...logs.map((name) => get(`/log/${name}${name === 'buffered' ? '' : number}.log`))],
    answers,
  }
}

function answer(body: string, fields: readonly string[] = [], status = '200 OK'): Answer {
  return { send: [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n') }
}

const VALUES = [
  'simple',
  'quote"quote',
  'back\\slash',
  'tab\there',
  'high\xe9\xff',
  'utf\xc3\xa9',
  "<>&'",
  '/slash/',
  'a  b',
  '\u0080\u009f',
  '%41%00',
  '$uri',
]
const TARGETS = [
  '?a=%22',
  '?a="',
  '?a=\\',
  '?a=\xe9',
  '?a=a%20b&b',
  '/%22',
  '/%01',
  '/%7f',
  '/%0a',
  '/%C3%A9',
  '/\xe9',
  '?a',
  '?a=',
  '?A=1',
  '?',
]
const escapes: Record<string, Case> = Object.fromEntries(
  ['plain', 'json', 'none', 'default', 'braces'].flatMap((name) => [
    ...VALUES.map((value): [string, Case] => [
      `${name} field ${JSON.stringify(value)}`,
      logged(get(`/${name}`, [`X: ${value}`, `User-Agent: ${value}`]), [name]),
    ]),
    ...TARGETS.map((target): [string, Case] => [
      `${name} target ${JSON.stringify(target)}`,
      logged(get(`/${name}${target}`), [name]),
    ]),
    [`${name} user`, logged(get(`/${name}`, ['Authorization: Basic dSJzOnA=']), [name])] as [string, Case],
    [`${name} two fields`, logged(get(`/${name}`, ['X: 1', 'X: 2', 'User-Agent:']), [name])] as [string, Case],
    [`${name} body`, logged(get(`/${name}`, [], 'POST', 'b"o\\d\ny\xff'), [name])] as [string, Case],
  ]),
)

const NOT_FOUND = answer('no', [], '404 No')
const places: Record<string, Case> = {
  parts: logged(get('/parts'), ['parts']),
  times: logged(get('/times'), ['times']),
  several: logged(get('/several'), ['s1', 's2']),
  ...Object.fromEntries(
    ['', '?log=1', '?log=0', '?log=', '?log=00', '?log=0&more=0', '?more=1', '/gone', '/gone?log=1'].map(
      (args): [string, Case] => [
        `if ${args}`,
        logged(get(`/if${args}`), ['if', 'if2', 'if3', 'if4', 'page', 'server']),
      ],
    ),
  ),
  ...Object.fromEntries(
    ['f=x', 'f=', 'f=a%2fb', 'f=..%2fq', 'g=1', 'f=%22', 'f=a/b'].flatMap((args) =>
      ['by', 'by-cache'].map((place): [string, Case] => [
        `${place} ${args}`,
        logged(get(`/${place}/?${args}`), [`${place === 'by' ? 'by' : 'byc'}-x`, `${place === 'by' ? 'by' : 'byc'}-`]),
      ]),
    ),
  ),
  'by a root that is there': logged(get('/by-root/?r=www&f=x'), ['root-x']),
  'by a root that is not there': logged(get('/by-root/?r=gone&f=x'), ['root-x']),
  'by a folder that is not there': logged(get('/by-folder/?f=gone'), ['gone/x']),
  'buffered, not full': logged(get('/buffered'), ['buffered']),
  'buffered, full': logged(
    Array.from({ length: 12 }, () => get('/buffered')),
    ['buffered'],
  ),
  off: logged(get('/off'), ['server']),
  'off in if': logged([get('/off-in?off=1'), get('/off-in')], ['off']),
  inherited: logged([get('/inherited/'), get('/inherited/own/')], ['own', 'server']),
}

const sizes: Record<string, Case> = Object.fromEntries(
  (
    [
      ['GET', get('/sizes/file/a.txt')],
      ['HEAD', get('/sizes/file/a.txt', [], 'HEAD')],
      ['empty', get('/sizes/file/empty.txt')],
      ['missing', get('/sizes/file/gone')],
      ['range', get('/sizes/file/a.txt', ['Range: bytes=0-1'])],
      ['ranges', get('/sizes/file/a.txt', ['Range: bytes=0-1,3-3'])],
      ['bad range', get('/sizes/file/a.txt', ['Range: bytes=99-'])],
      ['not modified', get('/sizes/file/a.txt', ['If-Modified-Since: Sat, 03 Feb 2024 04:05:06 GMT'])],
      ['POST', get('/sizes/back', [], 'POST', 'abc')],
      ['POST chunked', get('/sizes/back', ['Transfer-Encoding: chunked'], 'POST', '3\r\nabc\r\n0\r\n\r\n')],
      [
        'POST chunked with extensions',
        get('/sizes/back', ['Transfer-Encoding: chunked'], 'POST', '3;x=y\r\nabc\r\n0;z\r\nT: t\r\n\r\n'),
      ],
      ['POST to a file', get('/sizes/file/a.txt', [], 'POST', 'abc')],
      ['204', get('/sizes/ret')],
      ['two at once', get('/sizes/file/a.txt') + get('/sizes/file/empty.txt')],
      ['three at once', get('/sizes/ret') + get('/sizes/file/a.txt', [], 'HEAD') + get('/sizes/ret')],
      ['big', get('/sizes/file/big.txt')],
      ['gzip', get('/sizes/gzip/a.txt')],
      ['expect', get('/sizes/back', ['Expect: 100-continue'], 'POST', 'abc')],
      ['line ends before', '\r\n\r\n' + get('/sizes/ret')],
      ['spaces', get('/sizes/ret', ['X:   y   ', 'Z:'])],
      ['long field', get('/sizes/ret', ['X: ' + 'y'.repeat(2000)])],
    ] as const
  ).map(([name, request]): [string, Case] => [name, logged(request, ['sizes', 'server'])]),
)

const subs: Record<string, Case> = {
  ssi: logged(get('/subs/ssi.html'), ['main', 'sub', 'server']),
  'ssi logged': logged(get('/subs-log/ssi.html'), ['main', 'sub', 'server']),
  auth: logged(get('/auth/a.txt'), ['auth', 'auth-sub', 'server']),
  'auth with a body': logged(get('/auth/a.txt', [], 'POST', 'abc'), ['auth', 'auth-sub', 'server']),
  mirror: logged(get('/mirror/a.txt'), ['mirror', 'mirrored']),
  'mirror with a body': logged(get('/mirror/a.txt', [], 'POST', 'abc'), ['mirror', 'mirrored']),
  'post action': logged(get('/post/a.txt'), ['post', 'post-done']),
  'post action of what is missing': logged(get('/post/gone'), ['post', 'post-done']),
  'post action of HEAD': logged(get('/post/a.txt', [], 'HEAD'), ['post', 'post-done']),
  'post action of POST': logged(get('/post/a.txt', [], 'POST', 'abc'), ['post', 'post-done']),
  addition: logged(get('/add/a.txt'), ['add', 'sub']),
}

const ups: Record<string, Case> = {
  one: logged(get('/ups/a'), ['ups'], [answer('ok', ['X: x', 'Set-Cookie: c=1'])]),
  'one with a body': logged(get('/ups/a', [], 'POST', 'abc'), ['ups']),
  chunked: logged(
    get('/ups/a'),
    ['ups'],
    [{ send: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n' }],
  ),
  'until closed': logged(get('/ups/a'), ['ups'], [{ send: 'HTTP/1.1 200 OK\r\n\r\nabc', after: 'close' }]),
  hints: logged(
    get('/ups/a'),
    ['ups'],
    [{ send: 'HTTP/1.1 103 Early\r\nX: e\r\n\r\nHTTP/1.1 200 OK\r\nX: x\r\nContent-Length: 1\r\n\r\nx' }],
  ),
  head: logged(get('/ups/a', [], 'HEAD'), ['ups'], [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n' }]),
  'no answer': logged(get('/ups/a'), ['ups'], [{ send: '', after: 'close' }]),
  'two, first fails': logged(
    get('/ups/two/a'),
    ['ups'],
    [answer('bad', ['X: 1'], '500 Bad'), answer('good', ['X: 2'])],
  ),
  'two, both fail': logged(
    get('/ups/two/a'),
    ['ups'],
    [answer('bad', ['X: 1'], '500 Bad'), answer('bad too', ['X: 2'], '500 Bad')],
  ),
  'two, both missing': logged(get('/ups/two/a'), ['ups'], [NOT_FOUND]),
  'two, POST': logged(get('/ups/two/a', [], 'POST', 'abc'), ['ups'], [answer('bad', [], '500 Bad'), answer('good')]),
  dead: logged(get('/ups/dead/a'), ['ups']),
  gone: logged(get('/ups/gone/a'), ['ups']),
  'page of a back end': logged(get('/ups/page/a'), ['ups'], [NOT_FOUND, answer('page', ['X: p'])]),
  'named place of a back end': logged(
    get('/ups/page/a'),
    ['ups'],
    [answer('bad', [], '500 Bad'), answer('page', ['X: p'])],
  ),
  'page for one that is gone': logged(get('/ups/dead-page/a'), ['ups'], [answer('page', ['X: p'])]),
  'page of our own': logged(get('/ups/local/a'), ['ups'], [NOT_FOUND]),
  'accel redirect': logged(get('/ups/a'), ['ups'], [answer('', ['X-Accel-Redirect: /ups/b']), answer('b')]),
  'accel redirect to a file': logged(
    get('/ups/a'),
    ['ups', 'sizes'],
    [answer('', ['X-Accel-Redirect: /sizes/file/a.txt'])],
  ),
  'asked for leave': logged(get('/ups/auth/a'), ['ups'], [answer('', []), answer('main')]),
  'not let in': logged(get('/ups/auth/a'), ['ups'], [answer('', [], '403 No')]),
}

/** Its groups. */
export const logsGroups: readonly Group[] = [
  { name: 'logs: escapes', http, files, cases: escapes },
  { name: 'logs: places', http, files, cases: places },
  { name: 'logs: sizes', http, files, cases: sizes },
  { name: 'logs: subrequests', http, files, cases: subs },
  { name: 'logs: back ends', http, files, cases: ups },
]
