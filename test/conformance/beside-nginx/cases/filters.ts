/** What is compressed for whom, and what filters do with one another's work. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { type Answer, ask, type Case, type Group } from '../case.ts'

const WORDS = 'a file with words, a file with words, a file with words, a file with words\n'
const packed = (text: string): string => gzipSync(text).toString('latin1')

const files = {
  'www/a.txt': WORDS,
  'www/a.html': `<html>${WORDS}</html>`,
  'www/a.css': WORDS,
  'www/short.txt': 'short',
  'www/empty.txt': '',
  'www/19.txt': '0123456789012345678',
  'www/20.txt': '01234567890123456789',
  'www/stored.txt': `plain ${WORDS}`,
  'www/stored.txt.gz': packed(`stored ${WORDS}`),
  'www/only.txt.gz': packed(`only ${WORDS}`),
  'www/broken.txt.gz': packed(WORDS).slice(0, 30),
  'www/nogzip.txt.gz': 'this is not gzip',
  'www/twice.txt.gz': packed('one ') + packed('two\n'),
  'www/emptygz.txt.gz': packed(''),
  'www/nothing.txt.gz': '',
  'www/folder.txt.gz/x': 'x',
  'www/folder.txt': 'folder',
  'www/stored/index.html': 'index',
  'www/stored/index.html.gz': packed('packed index'),
  'www/large.txt': 'large line of text, of which there are many \n'.repeat(5000),
  'www/page.html': `one <!--# include virtual="/in/a.txt" --> two <!--# include virtual="/gzin/a.txt" --> <!--# include virtual="/backgz/sub" -->\n${WORDS}`,
  'www/404.html': `page 404 ${WORDS}`,
}

const GZIP = 'gzip on; gzip_types text/plain;'
const places = Object.entries({
  plain: '',
  gzip: GZIP,
  vary: `${GZIP} gzip_vary on;`,
  varyoff: 'gzip_vary on;',
  html: 'gzip on;',
  all: 'gzip on; gzip_types *;',
  min0: `${GZIP} gzip_min_length 0;`,
  min5: `${GZIP} gzip_min_length 5;`,
  min100: `${GZIP} gzip_min_length 100;`,
  http10: `${GZIP} gzip_http_version 1.0; gzip_vary on;`,
  disable: `${GZIP} gzip_disable "bad.*agent" "msie6"; gzip_vary on;`,
  level9: `${GZIP} gzip_comp_level 9;`,
  static: 'gzip_static on;',
  staticvary: 'gzip_static on; gzip_vary on;',
  always: 'gzip_static always; gzip_vary on;',
  alwaysgunzip: 'gzip_static always; gunzip on;',
  alwaysgunzipvary: 'gzip_static always; gunzip on; gzip_vary on; etag on;',
  staticgzip: `gzip_static on; ${GZIP} gzip_vary on;`,
  gunzip: 'gunzip on;',
  gunzipgzip: `gunzip on; ${GZIP}`,
  gunzipsub: `gunzip on; gzip_static always; sub_filter stored STORED; sub_filter_types *; ${GZIP}`,
  subgzip: `sub_filter words WORDS; sub_filter_once off; sub_filter_types *; ${GZIP}`,
  ssigzip: `ssi on; ssi_types *; ${GZIP}`,
  addgzip: `add_before_body /in/a.txt; add_after_body /gzin/a.txt; addition_types *; ${GZIP}`,
  charsetgzip: `charset utf-8; ${GZIP}`,
  charsetmap: `charset koi8-r; source_charset windows-1251; charset_types *; gzip_static always;`,
  rate: `limit_rate 1m; ${GZIP}`,
  expires: `expires 1h; ${GZIP} gzip_proxied expired no-cache; gzip_vary on;`,
  etagoff: `etag off; ${GZIP}`,
  lmoff: `add_header Last-Modified ""; ${GZIP} gzip_proxied no_last_modified;`,
  etagmade: `add_header ETag '"own"'; add_header Content-Encoding own; add_header Vary Cookie; ${GZIP} gzip_vary on;`,
  errorpage: `error_page 404 /404.html; ${GZIP} gzip_vary on;`,
  ifoff: `${GZIP} if ($arg_g = off) { gzip off; } if ($arg_g = level) { gzip on; add_header L l; }`,
  ifon: 'gzip_types text/plain; if ($arg_g = on) { gzip on; }',
  ranges0: `max_ranges 0; ${GZIP}`,
  tryfiles: `${GZIP} try_files /none /a.txt;`,
  imsoff: `if_modified_since off; ${GZIP}`,
  trailer: `${GZIP} add_trailer T "$gzip_ratio";`,
})
const PROXIED = ['off', 'expired', 'no-cache', 'no-store', 'private', 'no_last_modified', 'no_etag', 'auth', 'any']

const http = `
proxy_cache_path %%DIR%%/cache keys_zone=c:1m; charset_map koi8-r windows-1251 { C0 FE; C1 E0; C2 E1; }
server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www; types { text/html html; text/plain txt; text/css css; } charset_types *;
${places.map(([name, text]) => `location /${name}/ { ${text} ${/ssi|try/.test(name) ? '' : ''} alias %%DIR%%/www/; }`).join('\n')}
${places.map(([name, text]) => `location /p-${name}/ { ${text} proxy_pass http://127.0.0.1:%%PORT_6%%/; }`).join('\n')}
${PROXIED.map((word) => `location /via-${word}/ { ${GZIP} gzip_vary on; gzip_proxied ${word}; proxy_pass http://127.0.0.1:%%PORT_6%%/; } location /viaf-${word}/ { ${GZIP} gzip_proxied ${word}; alias %%DIR%%/www/; }`).join('\n')}
location /via-two/ { ${GZIP} gzip_proxied no-cache private expired; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /return { ${GZIP} return 200 "${WORDS.trim()}"; } location /return404 { ${GZIP} return 404 "${WORDS.trim()}"; } location /return403 { ${GZIP} gzip_vary on; return 403 "${WORDS.trim()}"; } location /return500 { ${GZIP} return 500 "${WORDS.trim()}"; } location /return201 { ${GZIP} return 201 "${WORDS.trim()}"; }
location /denied { gzip on; gzip_vary on; deny all; }
location /in/ { alias %%DIR%%/www/; } location /gzin/ { gzip_static always; gunzip on; ${GZIP} alias %%DIR%%/www/; } location /backgz/ { gunzip on; ${GZIP} proxy_pass http://127.0.0.1:%%PORT_7%%/; }
location /ssiback/ { ssi on; gunzip on; ${GZIP} gzip_vary on; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /accel/ { ${GZIP} proxy_pass http://127.0.0.1:%%PORT_6%%/; } location /inside/ { internal; ${GZIP} gzip_vary on; alias %%DIR%%/www/; } location /insidestatic/ { internal; gzip_static on; alias %%DIR%%/www/; }
location /unbuffered/ { ${GZIP} proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_6%%/; } location /forced/ { ${GZIP} gunzip on; proxy_force_ranges on; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /cached/ { ${GZIP} gunzip on; gzip_vary on; proxy_cache c; proxy_cache_valid any 1h; proxy_cache_key $uri$args; add_header S $upstream_cache_status; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /intercept/ { ${GZIP} gzip_vary on; proxy_intercept_errors on; error_page 404 500 /404.html; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /passlm/ { ${GZIP} proxy_pass_header Date; gzip_proxied expired; proxy_pass http://127.0.0.1:%%PORT_6%%/; }
location /autoindex/ { gzip on; autoindex on; alias %%DIR%%/www/stored/; } location /slice/ { ${GZIP} limit_rate 200k; sendfile on; output_buffers 1 1k; alias %%DIR%%/www/; }
location / { ${GZIP} gzip_vary on; }
}`

const AE = 'Accept-Encoding: gzip'
const DATE = 'Sat, 03 Feb 2024 04:05:06 GMT'

const names = 'a.txt a.html a.css short.txt empty.txt 19.txt 20.txt stored.txt only.txt none'.split(' ')
const odd =
  'broken.txt nogzip.txt twice.txt emptygz.txt nothing.txt folder.txt stored/ large.txt page.html a.txt?g=off a.txt?g=on a.txt?g=level'.split(
    ' ',
  )

const WAYS: Readonly<Record<string, readonly [fields: readonly string[], method?: string]>> = {
  gzip: [[AE]],
  none: [[]],
  HEAD: [[AE], 'HEAD'],
  'HEAD none': [[], 'HEAD'],
  tag: [[AE, 'If-None-Match: *']],
  since: [[AE, `If-Modified-Since: ${DATE}`]],
  match: [[AE, 'If-Match: "x"']],
  range: [[AE, 'Range: bytes=2-5']],
  'range none': [['Range: bytes=2-5']],
  'two ranges': [[AE, 'Range: bytes=0-1,4-5']],
  'range if date': [[AE, 'Range: bytes=0-1', `If-Range: ${DATE}`]],
  'range if tag': [[AE, 'Range: bytes=0-1', 'If-Range: "x"']],
  'range beyond': [[AE, 'Range: bytes=100000000-']],
  via: [[AE, 'Via: 1.1 p']],
  agent: [[AE, 'User-Agent: a BAD old agent']],
  msie6: [[AE, 'User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)']],
}

const ACCEPTED = [
  'gzip',
  'GZIP',
  'x-gzip',
  'gzip;q=0',
  'gzip;q=0.0',
  'gzip;q=0.001',
  'gzip;q=1',
  'gzip;q=1.000',
  'gzip;q=1.1',
  'gzip;q=2',
  'gzip; q=0.5',
  'gzip ;q=0',
  'gzip;q=',
  'gzip;q',
  'gzip;Q=0',
  'gzip;',
  'gzip;x=1',
  'deflate, gzip',
  'deflate,gzip;q=0.5',
  'deflate;q=0.5, gzip;q=0',
  '*',
  '*;q=0',
  'identity',
  'gzip, *;q=0',
  'identity;q=0, gzip',
  'notgzip',
  'gzipx',
  'x gzip',
  ' gzip ',
  'gzip,',
  ',gzip',
  'gzip;q=0, gzip',
  'gzip, gzip;q=0',
  '',
  'br',
  'gzip;q=0.0001',
  'gzip;q=0.',
  'gzip;q=1.',
  'gzip;q=.5',
  'gzip\t;q=0',
]

function product(
  locations: readonly string[],
  list: readonly string[],
  ways: typeof WAYS,
  answers?: readonly Answer[],
): Record<string, Case> {
  const cases: [string, Case][] = []
  for (const location of locations)
    for (const name of list)
      for (const [way, [fields, method]] of Object.entries(ways)) {
        const one = { send: ask(`/${location}/${name}`, fields, method) }
        cases.push([`/${location}/${name} ${way}`, answers === undefined ? one : { ...one, answers }])
      }
  return Object.fromEntries(cases)
}

const answer = (fields: readonly string[], body: string, status = '200 OK'): Answer => ({
  send: [`HTTP/1.1 ${status}`, 'Content-Type: text/plain', ...fields, `Content-Length: ${body.length}`, '', body].join(
    '\r\n',
  ),
})
const chunked = (fields: readonly string[], parts: readonly string[], status = '200 OK'): Answer => ({
  send:
    [`HTTP/1.1 ${status}`, 'Content-Type: text/plain', ...fields, 'Transfer-Encoding: chunked', '', ''].join('\r\n') +
    parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('') +
    '0\r\n\r\n',
})
const ANSWERS: Readonly<Record<string, Answer>> = {
  length: answer([], WORDS),
  chunked: chunked([], [WORDS, WORDS]),
  'chunked short': chunked([], ['short']),
  'chunked empty': chunked([], []),
  closed: { send: `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n${WORDS}`, after: 'close' },
  'closed empty': { send: 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n', after: 'close' },
  'HTTP/1.0': { send: `HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n${WORDS}`, after: 'close' },
  short: answer([], 'short'),
  empty: answer([], ''),
  'no type': { send: `HTTP/1.1 200 OK\r\nContent-Length: ${WORDS.length}\r\n\r\n${WORDS}` },
  'type with charset': {
    send: `HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${WORDS.length}\r\n\r\n${WORDS}`,
  },
  'type upper': {
    send: `HTTP/1.1 200 OK\r\nContent-Type: TEXT/PLAIN\r\nContent-Length: ${WORDS.length}\r\n\r\n${WORDS}`,
  },
  gzip: answer(['Content-Encoding: gzip', 'ETag: "t"', `Last-Modified: ${DATE}`], packed(WORDS)),
  'gzip chunked': chunked(['Content-Encoding: gzip'], [packed(WORDS).slice(0, 15), packed(WORDS).slice(15)]),
  'gzip upper': answer(['Content-Encoding: GZIP'], packed(WORDS)),
  'x-gzip': answer(['Content-Encoding: x-gzip'], packed(WORDS)),
  'gzip vary': answer(['Content-Encoding: gzip', 'Vary: Cookie'], packed(WORDS)),
  'gzip and br': answer(['Content-Encoding: gzip', 'Content-Encoding: br'], packed(WORDS)),
  'gzip, br': answer(['Content-Encoding: gzip, br'], packed(WORDS)),
  'gzip cut': answer(['Content-Encoding: gzip'], packed(WORDS).slice(0, 25)),
  'gzip none': answer(['Content-Encoding: gzip'], 'this is not gzip, but a text of some length'),
  'gzip and more': answer(['Content-Encoding: gzip'], `${packed(WORDS)}more`),
  'gzip twice': answer(['Content-Encoding: gzip'], packed('one ') + packed('two\n')),
  'gzip empty': answer(['Content-Encoding: gzip'], ''),
  'gzip of nothing': answer(['Content-Encoding: gzip'], packed('')),
  'gzip 404': answer(['Content-Encoding: gzip'], packed(WORDS), '404 Not Found'),
  'gzip 206': answer(
    ['Content-Encoding: gzip', 'Content-Range: bytes 0-9/100'],
    packed(WORDS).slice(0, 10),
    '206 Partial',
  ),
  'gzip 304': { send: 'HTTP/1.1 304 Not\r\nContent-Encoding: gzip\r\nETag: "t"\r\n\r\n' },
  'gzip 204': { send: 'HTTP/1.1 204 No\r\nContent-Encoding: gzip\r\n\r\n' },
  br: answer(['Content-Encoding: br'], brotliCompressSync(WORDS).toString('latin1')),
  deflate: answer(['Content-Encoding: deflate'], deflateSync(WORDS).toString('latin1')),
  identity: answer(['Content-Encoding: identity'], WORDS),
  'no coding': answer(['Content-Encoding:'], WORDS),
  tag: answer(['ETag: "t"'], WORDS),
  'weak tag': answer(['ETag: W/"t"'], WORDS),
  'bad tag': answer(['ETag: t'], WORDS),
  'empty tag': answer(['ETag: ""'], WORDS),
  'weak empty tag': answer(['ETag: W/'], WORDS),
  dated: answer([`Last-Modified: ${DATE}`], WORDS),
  'tag and date': answer(['ETag: "t"', `Last-Modified: ${DATE}`], WORDS),
  'bad date': answer(['Last-Modified: x'], WORDS),
  vary: answer(['Vary: Cookie'], WORDS),
  'vary encoding': answer(['Vary: Accept-Encoding'], WORDS),
  ranges: answer(['Accept-Ranges: bytes'], WORDS),
  expired: answer(['Expires: Thu, 01 Jan 1970 00:00:01 GMT'], WORDS),
  'expires later': answer(['Expires: Thu, 01 Jan 2037 00:00:01 GMT'], WORDS),
  'expires bad': answer(['Expires: 0'], WORDS),
  'expires date': answer(['Expires: Thu, 01 Jan 2015 00:00:01 GMT', 'Date: Thu, 01 Jan 2015 00:00:01 GMT'], WORDS),
  'expires date later': answer(
    ['Expires: Thu, 01 Jan 2015 00:00:01 GMT', 'Date: Thu, 01 Jan 2015 00:00:02 GMT'],
    WORDS,
  ),
  'expires date bad': answer(['Expires: Thu, 01 Jan 2015 00:00:01 GMT', 'Date: x'], WORDS),
  'no-cache': answer(['Cache-Control: no-cache'], WORDS),
  'no-store': answer(['Cache-Control: no-store'], WORDS),
  private: answer(['Cache-Control: max-age=1, Private'], WORDS),
  'two controls': answer(['Cache-Control: max-age=1', 'Cache-Control: private'], WORDS),
  'private field': answer(['Cache-Control: private="x"'], WORDS),
  'max-age': answer(['Cache-Control: max-age=10'], WORDS),
  'private and expires': answer(['Cache-Control: private', 'Expires: Thu, 01 Jan 2037 00:00:01 GMT'], WORDS),
  'x-no-cache': answer(['Cache-Control: x-no-cache, no-cachex'], WORDS),
  '404': answer([], WORDS, '404 Not Found'),
  '403': answer([], WORDS, '403 Forbidden'),
  '500': answer([], WORDS, '500 Oh'),
  '201': answer([], WORDS, '201 Created'),
  '206': answer(['Content-Range: bytes 0-74/75'], WORDS, '206 Partial'),
  trailers: {
    send: `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n4b\r\n${WORDS}\r\n0\r\nT: t\r\n\r\n`,
  },
  cut: { send: `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n${WORDS}`, after: 'close' },
  'cut chunked': {
    send: `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4b\r\n${WORDS}\r\n`,
    after: 'close',
  },
  accel: answer(['X-Accel-Redirect: /inside/a.txt', 'Content-Encoding: gzip', 'ETag: "t"'], packed(WORDS)),
  'accel stored': answer(['X-Accel-Redirect: /insidestatic/stored.txt', 'ETag: "t"'], WORDS),
  'accel off': answer(['X-Accel-Buffering: no'], WORDS),
}

const BACK = [
  'p-gzip',
  'p-vary',
  'p-gunzip',
  'p-gunzipgzip',
  'p-subgzip',
  'p-http10',
  'p-addgzip',
  'p-charsetgzip',
  'p-expires',
  'p-etagmade',
  'accel',
  'unbuffered',
  'forced',
  'intercept',
  'ssiback',
  'passlm',
]
const BACK_WAYS = Object.fromEntries(
  ['gzip', 'none', 'HEAD', 'HEAD none', 'range', 'range if tag', 'tag', 'via'].map((way) => [way, WAYS[way]!]),
)

const backCases = Object.fromEntries(
  Object.entries(ANSWERS).flatMap(([name, one]) =>
    Object.entries(product(BACK, ['x'], BACK_WAYS, [one, answer([], 'sub')])).map(([title, value]) => [
      `${title} <- ${name}`,
      value,
    ]),
  ),
)
const proxiedCases = Object.fromEntries(
  Object.entries(ANSWERS).flatMap(([name, one]) =>
    Object.entries(
      product(
        [...PROXIED.map((word) => `via-${word}`), 'via-two'],
        ['x'],
        { via: WAYS['via']!, user: [[AE, 'Via: p', 'Authorization: a']] },
        [one],
      ),
    ).map(([title, value]) => [`${title} <- ${name}`, value]),
  ),
)
const cached = Object.fromEntries(
  Object.entries(ANSWERS).map(([name, one], n) => {
    const at = `/cached/${n}`
    const keep = (fields: readonly string[], method = 'GET') =>
      ask(at, fields, method).replace('Connection: close\r\n', '')
    return [
      `${at} <- ${name}`,
      {
        send: [
          keep([]),
          keep([AE]),
          keep([AE], 'HEAD'),
          keep([AE, 'Range: bytes=1-2']),
          keep([AE, 'If-None-Match: "t"']),
          keep([AE, 'If-None-Match: W/"t"']),
          keep([AE, `If-Modified-Since: ${DATE}`]),
          ask(at, []),
        ],
        answers: [one],
      },
    ]
  }),
)

/** What is asked about filters. */
export const filtersGroups: readonly Group[] = [
  {
    name: 'filters: files',
    http,
    files,
    cases: {
      ...product(
        places.map(([name]) => name),
        names,
        WAYS,
      ),
      ...product(
        places.map(([name]) => name),
        odd,
        { gzip: WAYS['gzip']!, none: WAYS['none']!, HEAD: WAYS['HEAD']!, range: WAYS['range']! },
      ),
      ...product(
        PROXIED.map((word) => `viaf-${word}`),
        ['a.txt', 'none'],
        { via: WAYS['via']!, user: [[AE, 'Via: p', 'Authorization: a']] },
      ),
      ...Object.fromEntries(
        '/return /return404 /return403 /return500 /return201 /denied /gone /autoindex/ /slice/large.txt'
          .split(' ')
          .flatMap((at) =>
            Object.entries(WAYS).map(([way, [fields, method]]) => [`${at} ${way}`, { send: ask(at, fields, method) }]),
          ),
      ),
      ...Object.fromEntries(
        ACCEPTED.flatMap((value) =>
          ['/gzip/a.txt', '/staticvary/stored.txt', '/alwaysgunzip/only.txt'].map((at) => [
            `${at} accepts ${value}`,
            { send: ask(at, [`Accept-Encoding: ${value}`]) },
          ]),
        ),
      ),
      'two fields': { send: ask('/gzip/a.txt', ['Accept-Encoding: deflate', 'Accept-Encoding: gzip']) },
      'two fields other': { send: ask('/gzip/a.txt', ['Accept-Encoding: gzip', 'Accept-Encoding: identity']) },
      ...Object.fromEntries(
        ['gzip', 'http10', 'staticvary', 'alwaysgunzip', 'trailer', 'subgzip'].flatMap((at) =>
          [
            `GET /${at}/a.txt HTTP/1.0\r\n${AE}\r\n\r\n`,
            `GET /${at}/stored.txt HTTP/1.0\r\nHost: h\r\n${AE}\r\nConnection: keep-alive\r\n\r\n`,
            `GET /${at}/stored.txt HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n`,
          ].map((send) => [send, { send }]),
        ),
      ),
    },
  },
  { name: 'filters: back ends', http, files, cases: backCases },
  { name: 'filters: proxied', http, files, cases: proxiedCases },
  { name: 'filters: cached', http, files, cases: cached },
]
