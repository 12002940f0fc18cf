/** Files: conditions, ranges, folders, error pages, and what is said about them. */
import { ask, type Case, type Group, targets } from '../case.ts'

const DATE = 'Sat, 03 Feb 2024 04:05:06 GMT'
const EARLIER = 'Sat, 03 Feb 2024 04:05:05 GMT'
const LATER = 'Sat, 03 Feb 2024 04:05:07 GMT'
/** Of a file of 10 bytes: time and size in hexadecimal. */
const TAG = '"65bdbb72-a"'

const files = {
  'www/a.txt': '0123456789',
  'www/a.txt.gz': 'not really gzip',
  'www/index.html': 'index\n',
  'www/empty.txt': '',
  'www/x.unknown': 'unknown',
  'www/noext': 'noext',
  'www/UP.TXT': 'upper',
  'www/a.b.html': '<p>',
  'www/sub/index.html': 'sub\n',
  'www/sub/b.txt': 'b',
  'www/noindex/b.txt': 'b',
  'www/list/b & <c>.txt': 'b',
  'www/list/d%e?f#g.txt': 'bb',
  'www/list/\xe4.txt': 'bbb',
  'www/list/.hidden': 'bbb',
  'www/list/folder/x': 'bbb',
  'www/list/a-very-long-name-that-does-not-fit-into-the-fifty-columns-of-a-listing.txt': 'bbb',
  'www/err/404.html': 'page 404 <!--# echo var="uri" -->',
  'www/err/50x.html': 'page 50x',
  'www/e.json': '{}',
}

const asks = (target: string, list: readonly (readonly string[])[]): Record<string, Case> =>
  Object.fromEntries(list.map((fields) => [`${target} ${fields.join(', ')}`, { send: ask(target, fields) }]))

const conditions = [
  [`If-Modified-Since: ${DATE}`],
  [`If-Modified-Since: ${EARLIER}`],
  [`If-Modified-Since: ${LATER}`],
  ['If-Modified-Since: x'],
  ['If-Modified-Since:'],
  ['If-Modified-Since: Saturday, 03-Feb-24 04:05:06 GMT'],
  ['If-Modified-Since: Sat Feb  3 04:05:06 2024'],
  [`If-Unmodified-Since: ${DATE}`],
  [`If-Unmodified-Since: ${EARLIER}`],
  [`If-Unmodified-Since: ${LATER}`],
  ['If-Unmodified-Since: x'],
  [`If-Match: ${TAG}`],
  [`If-Match: W/${TAG}`],
  ['If-Match: "x"'],
  [`If-Match: "x", ${TAG}`],
  [`If-Match: "x",${TAG},`],
  ['If-Match: *'],
  ['If-Match:'],
  ['If-Match: x'],
  [`If-None-Match: ${TAG}`],
  [`If-None-Match: W/${TAG}`],
  [`If-None-Match: "x" , ${TAG}`],
  ['If-None-Match: *'],
  ['If-None-Match: "x"'],
  [`If-None-Match: ${TAG}x`],
  [`If-None-Match: "x", W/${TAG}`],
  [`If-None-Match: ${TAG}`, `If-Modified-Since: ${EARLIER}`],
  ['If-None-Match: "x"', `If-Modified-Since: ${DATE}`],
  [`If-Match: ${TAG}`, `If-Unmodified-Since: ${EARLIER}`],
  ['If-Match: "x"', `If-None-Match: ${TAG}`],
]

const ranges = [
  'bytes=0-0',
  'bytes=0-',
  'bytes=-1',
  'bytes=-0',
  'bytes=5-2',
  'bytes=9-',
  'bytes=10-',
  'bytes=-20',
  'bytes=0-99',
  'bytes=0-9',
  'bytes=0-1,3-4',
  'bytes=0-1, 3-4 ,6-',
  'bytes=0-1,0-1',
  'bytes=0-5,3-9',
  'bytes=3-4,0-1',
  'bytes=0-1,20-30',
  'bytes=20-30,40-50',
  'bytes=',
  'bytes=,',
  'bytes=0',
  'bytes=-',
  'bytes=a-b',
  'bytes = 0-1',
  'bytes= 0-1',
  'bytes=0 - 1',
  'Bytes=0-1',
  'BYTES=0-1',
  'lines=0-1',
  '0-1',
  'bytes=0-1,',
  'bytes=0-1;',
  'bytes=,0-1',
  'bytes=0-18446744073709551616',
  'bytes=99999999999999999999-',
  'bytes=-99999999999999999999',
  'bytes=0-0,1-1,2-2,3-3,4-4,5-5',
  'bytes=0-9,0-9',
  'bytes=-1,-2',
  'bytes=0-,0-',
  'bytes=+0-1',
  'bytes=0--1',
]

/** What is asked about files. */
export const staticGroups: readonly Group[] = [
  {
    name: 'static: conditions',
    http: `server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www; types { text/plain txt; text/html html; application/json json; }
      add_header X-A a; add_header X-B b always; expires 1h;
      location /etagoff/ { alias %%DIR%%/www/; etag off; }
      location /before/ { alias %%DIR%%/www/; if_modified_since before; }
      location /off/ { alias %%DIR%%/www/; if_modified_since off; }
      location /max0/ { alias %%DIR%%/www/; max_ranges 0; }
      location /max1/ { alias %%DIR%%/www/; max_ranges 1; }
      location /gz/ { alias %%DIR%%/www/; gzip_static on; }
      location /gzip/ { alias %%DIR%%/www/; gzip on; gzip_min_length 1; gzip_types *; }
      location /ssi/ { alias %%DIR%%/www/; ssi on; ssi_types *; }
      location /sub/ { alias %%DIR%%/www/; sub_filter 3 three; sub_filter_types *; }
      location /add/ { alias %%DIR%%/www/; add_after_body /empty.txt; addition_types *; }
      location /charset/ { alias %%DIR%%/www/; charset utf-8; }
      location /return { return 200 0123456789; }
      location /proxy/ { proxy_pass http://127.0.0.1:%%PORT_6%%/; }
      location /forced/ { proxy_pass http://127.0.0.1:%%PORT_6%%/; proxy_force_ranges on; }
    }`,
    files,
    cases: {
      ...asks('/a.txt', conditions),
      ...asks('/etagoff/a.txt', conditions),
      ...asks('/before/a.txt', conditions.slice(0, 7)),
      ...asks('/off/a.txt', conditions.slice(0, 7)),
      ...asks(
        '/gzip/a.txt',
        conditions.slice(11).map((fields) => ['Accept-Encoding: gzip', ...fields]),
      ),
      ...asks('/ssi/a.txt', conditions),
      ...asks('/return', conditions.slice(0, 14)),
      ...asks(
        '/a.txt',
        ranges.map((range) => [`Range: ${range}`]),
      ),
      ...asks(
        '/max0/a.txt',
        ranges.slice(0, 14).map((range) => [`Range: ${range}`]),
      ),
      ...asks(
        '/max1/a.txt',
        ranges.slice(0, 14).map((range) => [`Range: ${range}`]),
      ),
      ...asks(
        '/empty.txt',
        ranges.slice(0, 10).map((range) => [`Range: ${range}`]),
      ),
      ...asks(
        '/return',
        ranges.slice(0, 8).map((range) => [`Range: ${range}`]),
      ),
      ...Object.fromEntries(
        ['etagoff', 'gz', 'gzip', 'ssi', 'sub', 'add', 'charset'].flatMap((folder) =>
          Object.entries(
            asks(`/${folder}/a.txt`, [
              [],
              ['Range: bytes=2-4'],
              ['Range: bytes=2-4,6-7'],
              ['Accept-Encoding: gzip', 'Range: bytes=2-4'],
              ['Accept-Encoding: gzip'],
              ['Range: bytes=99-'],
            ]),
          ),
        ),
      ),
      ...asks(
        '/a.txt',
        [TAG, 'W/' + TAG, '"x"', DATE, EARLIER, LATER, 'x', '', '*', `"x", ${TAG}`].map((value) => [
          'Range: bytes=2-4',
          `If-Range: ${value}`,
        ]),
      ),
      ...asks('/a.txt', [
        ['Range: bytes=2-4', `If-None-Match: ${TAG}`],
        ['Range: bytes=99-', `If-None-Match: ${TAG}`],
        ['Range: bytes=99-', 'If-Match: "x"'],
      ]),
      ...Object.fromEntries(
        [
          'HTTP/1.1 200 OK\r\n',
          'HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\n',
          `HTTP/1.1 200 OK\r\nETag: "q"\r\nLast-Modified: ${DATE}\r\n`,
          'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/20\r\n',
          'HTTP/1.1 404 Not Found\r\n',
        ].flatMap((head, n) =>
          ['/proxy/x', '/forced/x'].flatMap((target) =>
            [
              ['Range: bytes=2-4'],
              ['Range: bytes=2-4,6-'],
              ['Range: bytes=99-'],
              ['If-None-Match: "q"'],
              [`If-Modified-Since: ${DATE}`],
            ].map((fields): [string, Case] => [
              `${target} ${n} ${fields.join()}`,
              { send: ask(target, fields), answers: [{ send: `${head}Content-Length: 10\r\n\r\n0123456789` }] },
            ]),
          ),
        ),
      ),
    },
  },
  {
    name: 'static: folders',
    http: `server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www; server_name one two; types { text/plain txt; text/html html; }
      default_type application/x-default; autoindex_exact_size on;
      location /relative/ { absolute_redirect off; alias %%DIR%%/www/; }
      location /noport/ { port_in_redirect off; alias %%DIR%%/www/; }
      location /name/ { server_name_in_redirect on; alias %%DIR%%/www/; }
      location /list/ { autoindex on; }
      location /json/ { autoindex on; autoindex_format json; alias %%DIR%%/www/list/; }
      location /xml/ { autoindex on; autoindex_format xml; alias %%DIR%%/www/list/; }
      location /jsonp/ { autoindex on; autoindex_format jsonp; alias %%DIR%%/www/list/; }
      location /sizes/ { autoindex on; autoindex_exact_size off; autoindex_localtime on; alias %%DIR%%/www/list/; }
      location /index/ { index none.html $arg_i sub/b.txt; alias %%DIR%%/www/; }
      location /absindex/ { index none /a.txt; alias %%DIR%%/www/; }
      location /random/ { random_index on; alias %%DIR%%/www/noindex/; }
      location ~ ^/re/(.*)\\.t$ { alias %%DIR%%/www/$1.txt; }
      location ~ ^/redir/(?<n>.*)$ { alias %%DIR%%/www/$n; }
      location /var/ { root %%DIR%%/$arg_d; }
      location = /exact { alias %%DIR%%/www/a.txt; }
      location /pre { alias %%DIR%%/www/a.txt; }
      location /pre2 { alias %%DIR%%/www/sub; }
      location /typed/ { types { } default_type text/x; alias %%DIR%%/www/; }
      location /t2/ { types { text/y txt TXT; } alias %%DIR%%/www/; }
      location /cs/ { charset utf-8; alias %%DIR%%/www/; }
      location /cs2/ { charset koi8-r; charset_types *; alias %%DIR%%/www/; }
      location /log { log_not_found off; }
      location /links/ { disable_symlinks on; alias %%DIR%%/www/; }
      location /exp1 { expires -1; return 200; } location /exp2 { expires epoch; return 200; } location /exp3 { expires max; return 404; }
      location /exp4 { expires max; return 200; } location /exp5 { expires @15h30m; return 301 /; } location /exp6 { expires modified 1h; return 200; }
      location /exp7 { expires $arg_e; return 200; }
      location /cache/ { open_file_cache max=10; open_file_cache_errors on; alias %%DIR%%/www/; }
      location /post/ { post_action /posted; alias %%DIR%%/www/; }
      location /posted { return 200 posted; }
      location /internal/ { internal; }
      location /limit { limit_except GET { deny all; } }
    }`,
    files,
    cases: {
      ...targets([
        '/',
        '/sub',
        '/sub?a=b',
        '/sub/',
        '/noindex',
        '/noindex/',
        '/none',
        '/none/',
        '/none/x',
        '/a.txt/',
        '/a.txt/b',
        '/x.unknown',
        '/noext',
        '/UP.TXT',
        '/a.b.html',
        '/sub%2f',
        '/sub%2findex.html',
        '/.%2fa.txt',
        '/relative/sub',
        '/relative/sub?x',
        '/noport/sub',
        '/name/sub',
        '/relative/s%75b',
        '/list',
        '/list/',
        '/json/',
        '/xml/',
        '/jsonp/',
        '/jsonp/?callback=f',
        '/jsonp/?callback=f.g[0]',
        '/jsonp/?callback=f;',
        '/sizes/',
        '/index/',
        '/index/?i=a.txt',
        '/index/?i=none',
        '/absindex/',
        '/random/',
        '/re/a.t',
        '/re/sub/b.t',
        '/re/none.t',
        '/redir/sub',
        '/redir/sub/',
        '/redir/',
        '/redir/none',
        '/var/x?d=www',
        '/var/sub/?d=www',
        '/exact',
        '/exact/',
        '/exactx',
        '/pre',
        '/prex',
        '/pre/',
        '/pre2',
        '/pre2/',
        '/pre2/b.txt',
        '/typed/a.txt',
        '/t2/UP.TXT',
        '/t2/a.txt',
        '/cs/a.txt',
        '/cs/x.unknown',
        '/cs2/a.txt',
        '/cs2/x.unknown',
        '/log/none',
        '/links/a.txt',
        '/exp1',
        '/exp2',
        '/exp3',
        '/exp4',
        '/exp5',
        '/exp7?e=1h',
        '/exp7?e=off',
        '/exp7?e=x',
        '/exp7?e=',
        '/exp7?e=max',
        '/exp7?e=-1',
        '/cache/a.txt',
        '/cache/none',
        '/cache/none',
        '/cache/sub',
        '/post/a.txt',
        '/post/none',
        '/internal/x',
        '/limit',
        '/list/d%25e%3ff%23g.txt',
        '/list/%e4.txt',
        '/list/b%20&%20%3cc%3e.txt',
        '/cs/sub',
        `/${'x'.repeat(300)}`,
        '/a.txt%20',
        '/a.txt.',
        '/%61.txt?x#y',
      ]),
      ...targets(['/sub', '/name/sub', '/noport/sub'], ['Host: two']),
      ...targets(['/sub', '/name/sub', '/noport/sub'], ['Host: three:99']),
      ...targets(['/sub', '/name/sub'], ['Host: ONE']),
      'relative without host': { send: 'GET /sub HTTP/1.0\r\n\r\n' },
      'name without host': { send: 'GET /name/sub HTTP/1.0\r\n\r\n' },
      'POST folder': { send: ask('/sub/', ['Content-Length: 0'], 'POST') },
      'POST list': { send: ask('/list/', ['Content-Length: 0'], 'POST') },
      'HEAD list': { send: ask('/list/', [], 'HEAD') },
      'POST limit': { send: ask('/limit', ['Content-Length: 0'], 'POST') },
      'HEAD limit': { send: ask('/limit', [], 'HEAD') },
    },
  },
  {
    name: 'static: error pages',
    http: `map $status $ok { ~^2 1; default 0; }
    server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www; server_name h; types { text/plain txt; text/html html; }
      add_header X-Always "$status $uri" always; add_header X-Ok "$status";
      error_page 404 /err/404.html;
      location /err/ { ssi on; }
      location /int/ { internal; return 200 "int $request_method $uri $args"; }
      location /e1 { error_page 404 =200 /int/x; return 404; }
      location /e2 { error_page 404 = /int/x?a=b; return 404; }
      location /e3 { error_page 404 @named; return 404; }
      location /e4 { error_page 404 =418 @named; return 404; }
      location /e5 { error_page 404 = @named; return 404; }
      location /e6 { error_page 404 http://x/y; return 404; }
      location /e7 { error_page 404 =301 http://x/y; return 404; }
      location /e8 { error_page 404 =307 http://x/$uri?$args; return 404; }
      location /e9 { error_page 404 /e9; return 404; }
      location /e10 { recursive_error_pages on; error_page 404 /e10; return 404; }
      location /e11 { recursive_error_pages on; error_page 404 =500 /e11b; return 404; }
      location /e11b { error_page 500 /int/y; return 500; }
      location /e12 { error_page 404 /none; return 404; }
      location /e13 { error_page 405 =200 /int/z; }
      location /e14 { error_page 403 404 500 502 503 504 /err/50x.html; return 503; }
      location /e15 { error_page 404 /err/404.html; return 404 "text"; }
      location /e16 { error_page 301 /int/r; return 301 /q; }
      location /e17 { error_page 404 =404 /int/x; return 404; }
      location /e18 { error_page 404 =204 /int/x; return 404; }
      location /e19 { error_page 413 /int/big; client_max_body_size 1; return 200; }
      location /e20 { error_page 413 =200 /int/big; client_max_body_size 1; proxy_pass http://127.0.0.1:%%PORT_6%%; }
      location /e21 { error_page 502 =200 /int/bad; proxy_pass http://127.0.0.1:%%PORT_8%%; }
      location /e22 { error_page 502 @named; proxy_pass http://127.0.0.1:%%PORT_8%%; }
      location /e23 { error_page 403 /int/denied; deny all; }
      location /e24 { error_page 401 /int/auth; auth_basic x; auth_basic_user_file %%DIR%%/none; }
      location /e25 { error_page 404 $arg_p; return 404; }
      location /e26 { error_page 404 =$arg_p; return 404; }
      location /e27 { error_page 404 relative; return 404; }
      location /e28 { error_page 404 @none; return 404; }
      location /e29 { error_page 304 416 412 /int/c; alias %%DIR%%/www/a.txt; }
      location /e30 { msie_padding on; return 404; }
      location /e31 { error_page 404 /loop1; return 404; }
      location /loop1 { error_page 404 /loop2; return 404; } location /loop2 { error_page 404 /loop1; return 404; }
      location @named { return 200 "named $request_method $uri $args"; }
      location /s400 { return 400; } location /s402 { return 402; } location /s406 { return 406; } location /s408 { return 408; } location /s409 { return 409; } location /s410 { return 410; }
      location /s411 { return 411; } location /s413 { return 413; } location /s414 { return 414; } location /s415 { return 415; } location /s416 { return 416; } location /s421 { return 421; } location /s426 { return 426; } location /s429 { return 429; }
      location /s494 { return 494; } location /s495 { return 495; } location /s496 { return 496; } location /s497 { return 497; } location /s499 { return 499; } location /s444 { return 444; }
      location /s500 { return 500; } location /s501 { return 501; } location /s502 { return 502; } location /s503 { return 503; } location /s504 { return 504; } location /s505 { return 505; } location /s507 { return 507; } location /s599 { return 599; } location /s999 { return 999; }
      location /s201 { return 201; } location /s202 { return 202; } location /s203 { return 203 x; } location /s205 { return 205; } location /s206 { return 206 x; } location /s300 { return 300; } location /s302 { return 302; } location /s303 { return 303 /x; } location /s304 { return 304; } location /s307 { return 307 /x; } location /s308 { return 308 /x; } location /s309 { return 309; } location /s100 { return 100; } location /s0 { return 0; } location /s199 { return 199 x; } location /s418 { return 418; } location /s418t { return 418 tea; } location /s204t { return 204 text; } location /s304t { return 304 text; }
    }`,
    files,
    cases: {
      ...targets(['/none', ...Array.from({ length: 31 }, (_, n) => `/e${n + 1}`)]),
      ...targets([
        '/e25?p=/int/v',
        '/e25?p=http://x/',
        '/e25?p=@named',
        '/e25?p=',
        '/e26?p=200',
        '/e8?q=1',
        '/e2?old=1',
      ]),
      ...targets(
        [
          400,
          402,
          406,
          408,
          409,
          410,
          411,
          413,
          414,
          415,
          416,
          421,
          426,
          429,
          494,
          495,
          496,
          497,
          499,
          444,
          500,
          501,
          502,
          503,
          504,
          505,
          507,
          599,
          999,
          201,
          202,
          203,
          205,
          206,
          300,
          302,
          303,
          304,
          307,
          308,
          309,
          100,
          0,
          199,
          418,
          '418t',
          '204t',
          '304t',
        ].map((code) => `/s${code}`),
      ),
      ...Object.fromEntries(
        [
          '/none',
          '/e1',
          '/e3',
          '/e5',
          '/e6',
          '/e13',
          '/e14',
          '/e15',
          '/e19',
          '/e20',
          '/e21',
          '/e22',
          '/e23',
          '/e29',
          '/s503',
          '/s413',
          '/s301',
          '/s408',
        ].flatMap((target): [string, Case][] => [
          [`HEAD ${target}`, { send: ask(target, [], 'HEAD') }],
          [`POST ${target}`, { send: ask(target, ['Content-Length: 5'], 'POST', '12345') }],
          [
            `POST chunked ${target}`,
            { send: ask(target, ['Transfer-Encoding: chunked'], 'POST', '5\r\n12345\r\n0\r\n\r\n') },
          ],
          [`DELETE ${target}`, { send: ask(target, [], 'DELETE') }],
        ]),
      ),
      ...targets(['/e30', '/none', '/s500'], ['User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)']),
      ...targets(['/e29'], [`If-None-Match: ${TAG}`]),
      ...targets(['/e29'], ['Range: bytes=99-']),
      ...targets(['/e29'], ['If-Match: "x"']),
    },
  },
]
