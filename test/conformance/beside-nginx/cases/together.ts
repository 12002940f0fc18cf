/** What modules do with one another: filters over filters, subrequests in error pages, conditions on what was made on the way. */
import { type Answer, ask, type Case, type Group } from '../case.ts'

const files = {
  'www/a.txt': 'a file with words\n',
  'www/b.css': 'body { color: file }\n',
  'www/empty.txt': '',
  'www/index.html': '<html><head></head><body>index file</body></html>\n',
  'www/page.html':
    'one <!--# include virtual="/a.txt" --> two <!--# include virtual="/gone.txt" --> <!--# echo var="arg_q" default="-" --> file\n',
  'www/wait.html':
    '<!--# include virtual="/back/1" wait="yes" set="v" -->[<!--# echo var="v" -->]<!--# include virtual="/back/2" -->.\n',
  'www/stub.html':
    '<!--# block name="b" -->stub<!--# endblock --><!--# include virtual="/back/1" stub="b" -->|<!--# include virtual="/gone.txt" stub="b" -->\n',
  'www/nest.html':
    '(<!--# include virtual="/ssi/page.html?q=n" -->)<!--# include file="a.txt" --><!--# include virtual="/deny" -->\n',
  'www/if.html':
    '<!--# if expr="$arg_q" -->q<!--# elif expr="$arg_p = x" -->p<!--# else -->none<!--# endif --><!--# set var="s" value="$arg_q!" --><!--# echo var="s" --><!--# config timefmt="%s" errmsg="oh" --><!--# include virtual="/gone.txt" -->\n',
  'www/dir/one.txt': '1',
  htpasswd: 'user:{PLAIN}pass\n',
}

const WORDS = "sub_filter 'file' 'FILE'; sub_filter 'words' '$arg_w'; sub_filter_once off; sub_filter_types *;"

const http = `
ssi_types *; charset_types *; addition_types *;
charset_map koi8-r windows-1251 { C0 FE; C1 E0; C2 E1; }
limit_req_zone $arg_k zone=lr:1m rate=1r/m; limit_conn_zone $arg_k zone=lc:1m;
map $status $told { ~^2 ok; ~^4 bad; default other; }
upstream back { server 127.0.0.1:%%PORT_6%%; keepalive 2; }
server { listen 127.0.0.1:%%PORT_0%%; server_name h; root %%DIR%%/www; types { text/html html; text/plain txt; text/css css; }
  location / { }
  location /ssi/ { ssi on; alias %%DIR%%/www/; }
  location /ssi-all/ { ssi on; ssi_last_modified on; expires 1h; add_header X "$told" always; add_trailer T "$arg_q"; alias %%DIR%%/www/; }
  location /ssi-sub/ { ssi on; ${WORDS} alias %%DIR%%/www/; }
  location /ssi-charset/ { ssi on; charset windows-1251; source_charset koi8-r; alias %%DIR%%/www/; }
  location /ssi-add/ { ssi on; add_before_body /a.txt; add_after_body /b.css; alias %%DIR%%/www/; }
  location /ssi-range/ { ssi on; max_ranges 1; alias %%DIR%%/www/; }
  location /ssi-error/ { ssi on; error_page 404 /ssi/page.html; alias %%DIR%%/www/; }
  location /ssi-back/ { ssi on; proxy_pass http://back/; }
  location /sub/ { ${WORDS} alias %%DIR%%/www/; }
  location /sub-time/ { ${WORDS} sub_filter_last_modified on; alias %%DIR%%/www/; }
  location /sub-back/ { ${WORDS} proxy_pass http://back/; }
  location /sub-error/ { ${WORDS} error_page 404 =200 /a.txt; }
  location /add/ { add_before_body /back/before; add_after_body /gone.txt; alias %%DIR%%/www/; }
  location /add-error/ { add_after_body /a.txt; error_page 404 /b.css; alias %%DIR%%/www/; }
  location /back/ { proxy_pass http://back/; }
  location /cut/ { proxy_pass http://back/; proxy_intercept_errors on; error_page 404 500 502 = /ssi/page.html?q=cut; error_page 403 @named; }
  location /chain/ { error_page 404 /chain2/; recursive_error_pages on; return 404; } location /chain2/ { error_page 403 =410 /chain3/; recursive_error_pages on; return 403; } location /chain3/ { return 200 "third $status\\n"; }
  location /chain-not/ { error_page 404 /forbid/; return 404; } location /forbid/ { error_page 403 /a.txt; deny all; }
  location /chain-named/ { error_page 404 = @first; return 404; } location @first { error_page 405 = @named; recursive_error_pages on; return 405; } location @named { add_header N "$uri $request_method" always; return 200 "named\\n"; }
  location /error-back/ { error_page 418 = /back/kept; return 418; }
  location /error-body/ { error_page 404 405 /a.txt; limit_except GET { deny all; } return 404 "own\\n"; }
  location /satisfy-any/ { satisfy any; deny all; auth_basic "r"; auth_basic_user_file %%DIR%%/htpasswd; error_page 401 /a.txt; error_page 403 /b.css; alias %%DIR%%/www/; }
  location /satisfy-sub/ { satisfy any; deny all; auth_request /auth/deny; alias %%DIR%%/www/; }
  location /satisfy-all/ { allow 127.0.0.1; auth_basic "r"; auth_basic_user_file %%DIR%%/htpasswd; auth_request /auth/ok; alias %%DIR%%/www/; }
  location = /auth/ok { return 204; } location = /auth/deny { return 403; } location = /auth/who { auth_basic "sub"; auth_basic_user_file %%DIR%%/htpasswd; return 204; } location = /auth/back { proxy_pass http://back/auth; proxy_pass_request_body off; proxy_set_header Connection ""; proxy_set_header Content-Length ""; }
  location /ar/ { auth_request /auth/back; auth_request_set $u $upstream_http_x_user; add_header U "$u" always; error_page 401 403 = @named; alias %%DIR%%/www/; }
  location /ar-who/ { auth_request /auth/who; alias %%DIR%%/www/; }
  location /ar-ssi/ { auth_request /auth/ok; ssi on; alias %%DIR%%/www/; }
  location /mirror/ { mirror /m1; mirror /m2; alias %%DIR%%/www/; } location /m1 { internal; proxy_pass http://back/m1; } location /m0 { internal; proxy_pass http://back/m0; proxy_pass_request_body off; proxy_set_header Connection ""; proxy_set_header Content-Length ""; } location /m2 { internal; return 500; }
  location /mirror-off/ { mirror /m0; mirror_request_body off; proxy_pass http://back/; }
  location /accel/ { proxy_pass http://back/; add_header A a; } location /inside/ { internal; alias %%DIR%%/www/; add_header I i; expires 1d; } location /inside-ssi/ { internal; ssi on; alias %%DIR%%/www/; } location @inside { return 200 "inside $uri\\n"; }
  location /expires/ { expires $arg_e; alias %%DIR%%/www/; } location /expires-old/ { expires -1; add_header Cache-Control private; add_header Last-Modified ""; alias %%DIR%%/www/; } location /expires-mod/ { expires modified +1h; alias %%DIR%%/www/; } location /expires-back/ { expires 1h; proxy_pass http://back/; }
  location /headers/ { add_header ETag '"own"'; add_header Last-Modified "Sat, 03 Feb 2024 04:05:06 GMT"; add_header Content-Type text/own; add_header Server own; add_header Date own; add_header Location /own; alias %%DIR%%/www/; }
  location /userid/ { userid log; userid_name n; alias %%DIR%%/www/; add_header G "$uid_got" always; }
  location /dry/ { limit_req zone=lr; limit_req_dry_run on; limit_conn lc 1; limit_conn_dry_run on; add_header L "$limit_req_status $limit_conn_status" always; alias %%DIR%%/www/; }
  location /slow/ { limit_rate 100k; limit_rate_after 1; alias %%DIR%%/www/; }
  location /etag-off/ { etag off; alias %%DIR%%/www/; } location /exact/ { if_modified_since exact; alias %%DIR%%/www/; } location /before/ { if_modified_since before; alias %%DIR%%/www/; } location /ims-off/ { if_modified_since off; alias %%DIR%%/www/; }
  location /ranges-0/ { max_ranges 0; alias %%DIR%%/www/; } location /ranges-1/ { max_ranges 1; alias %%DIR%%/www/; }
  location /dir-list/ { autoindex on; autoindex_format json; alias %%DIR%%/www/dir/; } location /dir-xml/ { autoindex on; autoindex_format xml; alias %%DIR%%/www/dir/; } location /random/ { random_index on; alias %%DIR%%/www/dir/; }
  location /status { stub_status; error_page 404 /a.txt; } location /gif { empty_gif; expires 1h; add_header G g; }
  location /buffered/ { client_body_in_file_only clean; client_body_buffer_size 4; proxy_pass http://back/; } location /single/ { client_body_in_single_buffer on; proxy_pass http://back/; proxy_set_header Connection ""; proxy_set_header B "$request_body"; } location /unbuffered/ { proxy_request_buffering off; proxy_pass http://back/; } location /no-body/ { proxy_pass_request_body off; proxy_set_header Connection ""; proxy_set_header Content-Length ""; proxy_pass http://back/; } location /limited/ { client_max_body_size 4; error_page 413 /a.txt; proxy_pass http://back/; } location /limited-file/ { client_max_body_size 4; alias %%DIR%%/www/; }
  location /secure/ { secure_link $arg_s; secure_link_md5 "$uri"; if ($secure_link = "") { return 403; } alias %%DIR%%/www/; }
  location /split/ { set $x "a"; if ($arg_q) { set $x "b$arg_q"; } add_header X "$x"; if ($x = a) { rewrite ^ /a.txt break; } try_files $uri /page.html =404; }
  location /try/ { try_files /none$uri /dir/ =404; } location /try-code/ { error_page 404 =200 /a.txt; try_files /none =404; } location /try-back/ { try_files /none @back; } location @back { proxy_pass http://back; }
  location /deny { deny all; }
}`

/** Places, and what is there to be had. */
const PLACES =
  '/a.txt /ssi/page.html /ssi/if.html /ssi/nest.html /ssi/empty.txt /ssi-all/page.html /ssi-sub/page.html /ssi-charset/a.txt ' +
  '/ssi-add/page.html /ssi-range/page.html /ssi-error/none.html /sub/a.txt /sub/empty.txt /sub-time/a.txt /sub-error/none ' +
  '/add/a.txt /add/none /add-error/none /chain/ /chain-not/ /chain-named/ /error-back/ /error-body/ /satisfy-any/a.txt ' +
  '/satisfy-sub/a.txt /satisfy-all/a.txt /ar-who/a.txt /ar-ssi/page.html /mirror/a.txt /expires/a.txt?e=1h /expires/a.txt?e=off ' +
  '/expires/a.txt?e=epoch /expires/a.txt?e=max /expires/a.txt?e=bad /expires/none?e=1h /expires-old/a.txt /expires-mod/a.txt ' +
  '/headers/a.txt /userid/a.txt /dry/a.txt?k=1 /slow/a.txt /etag-off/a.txt /exact/a.txt /before/a.txt /ims-off/a.txt ' +
  '/ranges-0/a.txt /ranges-1/a.txt /dir-list/ /dir-xml/ /random/ /gif /secure/a.txt /secure/a.txt?s=none /split/x /split/x?q=1 ' +
  '/try/a /try-code/x /limited-file/a.txt /deny /ssi/wait.html /ssi/stub.html'

const DATE = 'Sat, 03 Feb 2024 04:05:06 GMT'
/** Ways to ask. */
const WAYS: Readonly<Record<string, readonly [fields: readonly string[], method?: string, body?: string]>> = {
  plain: [[]],
  HEAD: [[], 'HEAD'],
  POST: [['Content-Length: 6'], 'POST', 'posted'],
  'POST chunked': [['Transfer-Encoding: chunked'], 'POST', '6\r\nposted\r\n0\r\n\r\n'],
  'a range': [['Range: bytes=2-5']],
  'two ranges': [['Range: bytes=0-1,4-5']],
  'the last byte': [['Range: bytes=-1']],
  'no such range': [['Range: bytes=1000-']],
  'changed since': [[`If-Modified-Since: ${DATE}`]],
  'unchanged since': [[`If-Unmodified-Since: Fri, 02 Feb 2024 04:05:06 GMT`]],
  'any tag': [['If-None-Match: *']],
  'no tag': [['If-Match: "x"']],
  'a range if': [['Range: bytes=0-1', `If-Range: ${DATE}`]],
  'a range if another': [['Range: bytes=0-1', 'If-Range: "x"']],
  'a user': [[`Authorization: Basic ${btoa('user:pass')}`]],
}

function matrix(places: string, ways: typeof WAYS, answers?: readonly Answer[]): Record<string, Case> {
  const cases: [string, Case][] = []
  for (const place of places.split(' ')) {
    for (const [name, [fields, method, body]] of Object.entries(ways)) {
      const one = { send: ask(place, fields, method, body) }
      cases.push([`${place} ${name}`, answers === undefined ? one : { ...one, answers }])
    }
  }
  return Object.fromEntries(cases)
}

const text = (body: string, fields: readonly string[] = [], status = '200 OK'): Answer => ({
  send: [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n'),
})

/** What back ends say. */
const SAID: Readonly<Record<string, Answer>> = {
  text: text('a file with words', [
    'Content-Type: text/html',
    `Last-Modified: ${DATE}`,
    'ETag: "t"',
    'Accept-Ranges: bytes',
  ]),
  page: text('[<!--# include virtual="/a.txt" -->]', ['Content-Type: text/html']),
  chunked: {
    send: 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na fi\r\n2\r\nle\r\n0\r\n\r\n',
  },
  'not modified': { send: `HTTP/1.1 304 Not Modified\r\nETag: "t"\r\nLast-Modified: ${DATE}\r\n\r\n` },
  part: text('a f', ['Content-Range: bytes 0-2/17', 'Content-Type: text/plain'], '206 Partial Content'),
  'none there': text('gone', ['Content-Type: text/html', 'X-User: u'], '404 Not Found'),
  'who are you': text('', ['WWW-Authenticate: Basic realm="b"', 'X-User: u'], '401 Unauthorized'),
  forbidden: text('no', ['X-User: u'], '403 Forbidden'),
  failed: text('failed', [], '500 Internal Server Error'),
  elsewhere: text('', ['Location: /x', 'X-Accel-Expires: 10'], '302 Found'),
  nothing: { send: 'HTTP/1.1 204 No Content\r\nX-User: u\r\n\r\n' },
  compressed: text('\x1f\x8b\b\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0', [
    'Content-Encoding: gzip',
    'Content-Type: text/html',
  ]),
  'to the end': { send: 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\na file', after: 'close' },
  broken: { send: 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\nContent-Type: text/html\r\n\r\na file', after: 'close' },
  away: { send: '', after: 'close' },
}

const accel = (fields: readonly string[], status?: string): Answer =>
  text('unseen', ['Content-Type: text/sent', 'ETag: "sent"', ...fields], status)
/** Redirects inside, by what answers. */
const ACCEL: Readonly<Record<string, Answer>> = {
  'to a file': accel([
    'X-Accel-Redirect: /inside/a.txt',
    'Set-Cookie: a=1',
    'Cache-Control: max-age=1',
    'Expires: Thu, 01 Jan 1970 00:00:01 GMT',
  ]),
  'to a file that is none': accel(['X-Accel-Redirect: /inside/none']),
  'to a page': accel(['X-Accel-Redirect: /inside-ssi/page.html?q=a']),
  'to a name': accel(['X-Accel-Redirect: @inside']),
  'to no name': accel(['X-Accel-Redirect: @none']),
  'to nowhere': accel(['X-Accel-Redirect: ']),
  'to a host': accel(['X-Accel-Redirect: http://h/a.txt']),
  'with an escape': accel(['X-Accel-Redirect: /inside/%61.txt?x=%20']),
  'with dots': accel(['X-Accel-Redirect: /inside/../a.txt']),
  'of an error': accel(['X-Accel-Redirect: /inside/a.txt'], '404 Not Found'),
  'with a charset': accel(['X-Accel-Redirect: /inside/a.txt', 'X-Accel-Charset: koi8-r']),
  slowly: accel(['X-Accel-Redirect: /inside/a.txt', 'X-Accel-Limit-Rate: 100000']),
  'without buffers': text('a file', ['X-Accel-Buffering: no', 'X-Accel-Limit-Rate: 1', 'X-Accel-Expires: 1']),
  'with a disposition': accel([
    'X-Accel-Redirect: /inside/a.txt',
    'Content-Disposition: attachment',
    'Content-Language: x',
    'Accept-Ranges: none',
  ]),
}

function each(place: string, said: Readonly<Record<string, Answer>>, ways: typeof WAYS): Record<string, Case> {
  return Object.assign(
    {},
    ...Object.entries(said).map(([name, answer]) =>
      Object.fromEntries(Object.entries(matrix(place, ways, [answer])).map(([key, one]) => [`${key}: ${name}`, one])),
    ),
  )
}

const { plain, HEAD } = WAYS
const FEW = {
  plain: plain!,
  HEAD: HEAD!,
  POST: WAYS['POST']!,
  'a range': WAYS['a range']!,
  'changed since': WAYS['changed since']!,
  'any tag': WAYS['any tag']!,
}

/** Bodies that come late, in pieces, twice, or not. */
const BODIES: Readonly<Record<string, readonly string[]>> = {
  whole: ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nposted'],
  late: ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n', 'posted'],
  'in pieces': ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\npo', 'sted'],
  'and another': ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nposted', ask('/a.txt')],
  'with another': [`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nposted${ask('/a.txt')}`],
  chunked: [
    'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\npos\r\n3\r\nted\r\n0\r\n\r\n',
    ask('/a.txt'),
  ],
  'chunked late': ['POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\npo', 's\r\n0\r\n\r\n'],
  'chunked broken': ['POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\npos\r\nzz\r\n'],
  'chunked with a trailer': [
    'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\npos\r\n0\r\nA: b\r\n\r\n',
  ],
  'none, of no length': ['POST / HTTP/1.1\r\nHost: h\r\n\r\n'],
  empty: ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n'],
  'empty chunks': ['POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  'of a GET': ['GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nposted'],
  'after 100': ['POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n', 'posted'],
}

function bodies(places: string): Record<string, Case> {
  const cases: [string, Case][] = []
  for (const place of places.split(' ')) {
    for (const [name, parts] of Object.entries(BODIES)) {
      cases.push([`${place} ${name}`, { send: parts.map((part) => part.replace(/^(\w+) \/ /, `$1 ${place} `)) }])
    }
  }
  return Object.fromEntries(cases)
}

/** What is asked about modules that meet. */
export const togetherGroups: readonly Group[] = [
  { name: 'together: places', http, files, cases: matrix(PLACES, WAYS) },
  {
    name: 'together: back ends',
    http,
    files,
    cases: {
      ...each('/ssi-back/x', SAID, FEW),
      ...each('/sub-back/x', SAID, FEW),
      ...each('/cut/x', SAID, FEW),
      ...each('/expires-back/x', SAID, FEW),
      ...each('/try-back/x', SAID, { plain: plain!, HEAD: HEAD! }),
      ...each('/ar/a.txt', SAID, { plain: plain!, HEAD: HEAD!, POST: WAYS['POST']! }),
      ...each('/add/a.txt', SAID, { plain: plain!, HEAD: HEAD! }),
      ...each('/ssi/wait.html', SAID, { plain: plain!, HEAD: HEAD! }),
      ...each('/ssi/stub.html', SAID, { plain: plain!, HEAD: HEAD! }),
      ...each('/accel/x', ACCEL, FEW),
    },
  },
  {
    name: 'together: bodies',
    http,
    files,
    cases: bodies(
      '/a.txt /none /deny /chain-named/ /error-back/ /error-body/ /mirror/a.txt /mirror-off/x /buffered/x /single/x /unbuffered/x ' +
        '/no-body/x /limited/x /limited-file/a.txt /ssi/page.html /ar-ssi/page.html /satisfy-all/a.txt /try-back/x /gif',
    ),
  },
]
