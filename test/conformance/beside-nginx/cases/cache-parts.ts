/** Responses of many parts (`slice`): ranges of clients, and answers that do not fit. */
import { type Answer, ask, type Case, type Group } from '../case.ts'

const BACK = 'proxy_pass http://127.0.0.1:%%PORT_6%%;'
const http = `
proxy_cache_path %%DIR%%/cache keys_zone=c:1m;
types { text/html html; }
server { listen 127.0.0.1:%%PORT_0%%; server_name h; root %%DIR%%/www;
  proxy_cache c; proxy_cache_valid 200 206 1h; proxy_cache_key $uri$slice_range; proxy_set_header Connection ""; proxy_set_header Range $slice_range;
  add_header S $upstream_cache_status;
  location /s/ { slice 4; ${BACK} }
  location /s-whole/ { slice 4; proxy_set_header Range ""; proxy_set_header Connection ""; ${BACK} }
  location /s-off/ { slice 0; ${BACK} }
  location /s-big/ { slice 1m; ${BACK} }
  location /s-uncached/ { slice 4; proxy_cache off; ${BACK} }
  location /s-direct/ { slice 4; proxy_buffering off; ${BACK} }
  location /s-page/ { slice 4; proxy_intercept_errors on; error_page 404 416 502 /p; ${BACK} }
  location /s-min/ { slice 4; proxy_cache_min_uses 2; ${BACK} }
  location /s-gzip/ { slice 4; gzip on; gzip_min_length 1; gzip_types *; ${BACK} }
  location /s-auth/ { slice 4; auth_request /s/auth; ${BACK} }
  location /s-ssi/ { ssi on; proxy_cache off; proxy_set_header Range ""; proxy_set_header Connection ""; ${BACK} }
  location = /p { proxy_cache off; return 200 "page\\n"; }
}`

const WHOLE = 'abcdefghijk'

function part(from: number, to: number, fields: readonly string[] = ['ETag: "e"'], total = `${WHOLE.length}`): Answer {
  const body = WHOLE.slice(from, to + 1)
  const head = [`Content-Length: ${body.length}`, `Content-Range: bytes ${from}-${to}/${total}`, ...fields]
  return { send: ['HTTP/1.1 206 Partial Content', ...head, '', body].join('\r\n') }
}
function answer(status: string, body: string, fields: readonly string[] = []): Answer {
  return { send: [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n') }
}

const PARTS = [part(0, 3), part(4, 7), part(8, 10)]
const RANGES = [
  '',
  '0-3',
  '0-0',
  '2-6',
  '4-7',
  '5-',
  '8-',
  '10-10',
  '-1',
  '-3',
  '-11',
  '-100',
  '0-100',
  '11-',
  '100-',
  '0-0,5-5',
  '5-2',
  'x',
]
/** Which parts a range begins with: those that the back end is asked for. */
function from(range: string): number {
  return Math.min(2, Math.floor(Number(/^(\d+)-/.exec(range)?.[1] ?? 0) / 4))
}
const BROKEN: Readonly<Record<string, readonly Answer[]>> = {
  'the whole': [answer('200 OK', WHOLE, ['ETag: "e"'])],
  'the whole at second': [PARTS[0]!, answer('200 OK', WHOLE)],
  'nothing there': [answer('404 No', 'no')],
  'nothing there at second': [PARTS[0]!, answer('404 No', 'no')],
  'out of range': [answer('416 No', '', ['Content-Range: bytes */2'])],
  'out of range at second': [PARTS[0]!, answer('416 No', '')],
  'another tag': [PARTS[0]!, part(4, 7, ['ETag: "f"']), PARTS[2]!],
  'no tag at second': [PARTS[0]!, part(4, 7, []), PARTS[2]!],
  'no tags': [part(0, 3, []), part(4, 7, []), part(8, 10, [])],
  'a tag at second': [part(0, 3, []), PARTS[1]!, PARTS[2]!],
  'another length': [PARTS[0]!, part(4, 7, ['ETag: "e"'], '12'), PARTS[2]!],
  'no length': [part(0, 3, ['ETag: "e"'], '*')],
  'no range told': [answer('206 Partial', 'abcd', ['ETag: "e"'])],
  'range broken': [answer('206 Partial', 'abcd', ['Content-Range: bytes x'])],
  'other unit': [answer('206 Partial', 'abcd', ['Content-Range: lines 0-3/11'])],
  'another part': [part(4, 7)],
  'a short part': [part(0, 2), part(4, 7)],
  'a long part': [part(0, 5)],
  'a longer range': [part(0, 3), part(4, 9)],
  'reset at second': [PARTS[0]!, { send: '', after: 'reset' }],
  'cut at second': [
    PARTS[0]!,
    {
      send: 'HTTP/1.1 206 P\r\nContent-Length: 4\r\nContent-Range: bytes 4-7/11\r\nETag: "e"\r\n\r\nef',
      after: 'close',
    },
  ],
  'no head': [{ send: 'nonsense\r\n\r\n', after: 'close' }],
  '500 at third': [PARTS[0]!, PARTS[1]!, answer('500 Bad', 'bad')],
  'not to be kept': [part(0, 3, ['ETag: "e"', 'Cache-Control: no-store']), ...PARTS.slice(1)],
  'one part': [part(0, 3, ['ETag: "e"'], '4')],
  'small one': [part(0, 1, ['ETag: "e"'], '2')],
  empty: [answer('200 OK', '')],
  '204': [{ send: 'HTTP/1.1 204 No\r\n\r\n' }],
  '304': [{ send: 'HTTP/1.1 304 No\r\nETag: "e"\r\n\r\n' }],
  chunked: [
    {
      send: 'HTTP/1.1 206 P\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes 0-3/11\r\nETag: "e"\r\n\r\n4\r\nabcd\r\n0\r\n\r\n',
    },
    ...PARTS.slice(1),
  ],
}

function get(target: string, fields: readonly string[] = [], method = 'GET'): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: h', ...fields, '', ''].join('\r\n')
}
let count = 0
const places = 's s-whole s-off s-big s-uncached s-direct s-page s-min s-gzip'.split(' ')
const sliced: Record<string, Case> = {
  // Answers are given in turn, whoever still waits for one: the server is to be quick from the first case that counts.
  page: { send: ask('/p') },
  'a response of its own': { send: ask('/s-ssi/first'), answers: [answer('200 OK', 'x')] },
  ...Object.fromEntries(
    places.flatMap((place) =>
      (place === 's' ? RANGES : ['', '2-6', '8-', '100-', '0-0,5-5']).map((range): [string, Case] => {
        const target = `/${place}/${++count}`
        const fields = range === '' ? [] : [`Range: bytes=${range}`]
        const whole = /whole|off/.test(place)
        const answers = whole ? [answer('200 OK', WHOLE, ['ETag: "e"'])] : PARTS.slice(from(range))
        if (place === 's-big') answers.splice(0, 3, part(0, 10))
        return [`${place} ${range}`, { send: [get(target, fields), get(target)], answers: [...answers, ...PARTS] }]
      }),
    ),
  ),
  ...Object.fromEntries(
    ['s', 's-page', 's-direct'].flatMap((place) =>
      Object.entries(BROKEN).flatMap(([name, answers]) =>
        [[], ['Range: bytes=2-6']].map((fields): [string, Case] => [
          `${place} ${name} ${fields.join()}`,
          { send: [ask(`/${place}/${++count}`, fields)], answers },
        ]),
      ),
    ),
  ),
  ...Object.fromEntries(
    [
      ['HEAD', [], 'HEAD'],
      ['HEAD of a range', ['Range: bytes=2-6'], 'HEAD'],
      ['POST', [], 'POST'],
      ['If-Range', ['Range: bytes=2-6', 'If-Range: "e"'], 'GET'],
      ['If-Range of another', ['Range: bytes=2-6', 'If-Range: "f"'], 'GET'],
      ['If-None-Match', ['If-None-Match: "e"'], 'GET'],
      ['If-None-Match and a range', ['If-None-Match: "f"', 'Range: bytes=5-6'], 'GET'],
      ['If-Match of another', ['If-Match: "f"'], 'GET'],
    ].map(([name, fields, method]): [string, Case] => {
      const target = `/s/${++count}`
      const send = [
        get(target, fields as readonly string[], method as string),
        get(target, fields as readonly string[], method as string),
      ]
      return [name as string, { send, answers: name === 'If-None-Match and a range' ? PARTS.slice(1) : PARTS }]
    }),
  ),
  auth: { send: ask('/s-auth/1'), answers: [...PARTS, ...PARTS] },
  ssi: {
    send: ask('/s-ssi/1'),
    answers: [answer('200 OK', '<!--# include virtual="/s/in-ssi" -->!', ['Content-Type: text/html']), ...PARTS],
  },
}

/** Its groups. */
export const cachePartsGroups: readonly Group[] = [{ name: 'cache: slices', http, cases: sliced }]
