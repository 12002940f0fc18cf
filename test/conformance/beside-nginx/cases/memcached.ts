/** memcached: answers in every form, and what it is asked for. */
import { type Answer, ask, type Case, type Group } from '../case.ts'

const closing = (...send: string[]): Answer => ({ send, after: 'close' })
const long = (size: number): string => 'a long line of text, '.repeat(size / 21 + 1).slice(0, size)
const GZIPPED = '\x1f\x8b\b\0\0\0\0\0\0\x03\xcb\xcf\x06\0G\xdd\xdcy\x02\0\0\0'
const HIT = 'VALUE a 0 2\r\nok\r\nEND\r\n'

const ANSWERS: Readonly<Record<string, string | Answer>> = {
  hit: HIT,
  'hit of 0': 'VALUE a 0 0\r\n\r\nEND\r\n',
  'hit of 0 without an end': 'VALUE a 0 0\r\n',
  miss: 'END\r\n',
  'miss LF': 'END\n',
  'miss and more': 'END\r\nEND\r\n',
  'with a unique number': 'VALUE a 0 2 77\r\nok\r\nEND\r\n',
  'flags 2': 'VALUE a 2 2\r\nok\r\nEND\r\n',
  'flags 3': 'VALUE a 3 2\r\nok\r\nEND\r\n',
  'flags large': 'VALUE a 4294967295 2\r\nok\r\nEND\r\n',
  'flags too large': 'VALUE a 99999999999999999999 2\r\nok\r\nEND\r\n',
  'flags bad': 'VALUE a x 2\r\nok\r\nEND\r\n',
  'flags negative': 'VALUE a -2 2\r\nok\r\nEND\r\n',
  'flags empty': 'VALUE a  2\r\nok\r\nEND\r\n',
  'no flags': 'VALUE a 2\r\nok\r\nEND\r\n',
  'only a key': 'VALUE a\r\nok\r\nEND\r\n',
  'only VALUE': 'VALUE \r\nok\r\nEND\r\n',
  'VALUE alone': 'VALUE\r\nok\r\nEND\r\n',
  'length large': 'VALUE a 0 99999999999999999999\r\nok\r\nEND\r\n',
  'length longer': 'VALUE a 0 5\r\nok\r\nEND\r\n',
  'length shorter': 'VALUE a 0 1\r\nok\r\nEND\r\n',
  'length far longer': closing('VALUE a 0 50\r\nok\r\nEND\r\n'),
  'length bad': 'VALUE a 0 2x\r\nok\r\nEND\r\n',
  'length negative': 'VALUE a 0 -2\r\nok\r\nEND\r\n',
  'length empty': 'VALUE a 0 \r\nok\r\nEND\r\n',
  'length zeros': 'VALUE a 0 002\r\nok\r\nEND\r\n',
  'space behind': 'VALUE a 0 2 \r\nok\r\nEND\r\n',
  'two spaces': 'VALUE a  0 2\r\nok\r\nEND\r\n',
  'LF only': 'VALUE a 0 2\nok\nEND\n',
  'another key': 'VALUE b 0 2\r\nok\r\nEND\r\n',
  'a longer key': 'VALUE ab 0 2\r\nok\r\nEND\r\n',
  'lower case': 'value a 0 2\r\nok\r\nend\r\n',
  'two values': 'VALUE a 0 2\r\nok\r\nVALUE a 0 2\r\nok\r\nEND\r\n',
  'no end': closing('VALUE a 0 2\r\nok\r\n'),
  'no end, open': 'VALUE a 0 2\r\nok\r\n',
  'end bad': 'VALUE a 0 2\r\nok\r\nend\r\n',
  'end cut': closing('VALUE a 0 2\r\nok\r\nEN'),
  'value cut': closing('VALUE a 0 9\r\nok'),
  'line cut': closing('VALUE a 0'),
  nothing: closing(''),
  silence: { send: '' },
  reset: { send: '', after: 'reset' },
  ERROR: 'ERROR\r\n',
  CLIENT_ERROR: 'CLIENT_ERROR bad command line format\r\n',
  SERVER_ERROR: 'SERVER_ERROR out of memory\r\n',
  'empty line': '\r\n',
  NUL: 'VALUE a\0 0 2\r\nok\r\nEND\r\n',
  HTTP: 'HTTP/1.1 200 OK\r\n\r\n',
  'line long': 'x'.repeat(3000),
  'line too long': 'x'.repeat(6000),
  large: `VALUE a 0 50000\r\n${long(50000)}\r\nEND\r\n`,
  'large cut': closing(`VALUE a 0 50000\r\n${long(40000)}`),
  gzipped: `VALUE a 2 ${GZIPPED.length}\r\n${GZIPPED}\r\nEND\r\n`,
  'bytes in the value': 'VALUE a 0 4\r\n\r\n\0\xff\r\nEND\r\n',
  'END in the value': 'VALUE a 0 7\r\n\r\nEND\r\n\r\nEND\r\n',
  'byte by byte': { send: Array.from(HIT) },
  'byte by byte, miss': { send: Array.from('END\r\n') },
  'byte by byte, end bad': { send: Array.from('VALUE a 0 2\r\nok\r\nENX\r\n') },
  'byte by byte, more': { send: Array.from(`${HIT}x`) },
  'more behind': `${HIT}x`,
}

const CONDITIONS = [
  'error',
  'timeout',
  'invalid_response',
  'not_found',
  'off',
  'error timeout invalid_response not_found',
]

const conf = `
upstream two { server 127.0.0.1:%%PORT_6%% max_fails=0; server 127.0.0.1:%%PORT_7%% max_fails=0; }
upstream kept { server 127.0.0.1:%%PORT_6%%; keepalive 2; }
upstream half { server 127.0.0.1:%%PORT_8%% max_fails=0; server 127.0.0.1:%%PORT_6%% max_fails=0; }
server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www; server_name h; memcached_read_timeout 300ms; memcached_buffer_size 4k;
  set $memcached_key a;
  location /m { memcached_pass 127.0.0.1:%%PORT_6%%; }
  location /g { memcached_gzip_flag 2; memcached_pass 127.0.0.1:%%PORT_6%%; }
  location /gu { memcached_gzip_flag 2; gunzip on; memcached_pass 127.0.0.1:%%PORT_6%%; }
  location /k { memcached_pass kept; }
  location /e { error_page 404 502 504 = @back; memcached_pass 127.0.0.1:%%PORT_6%%; }
  location @back { return 200 "back $uri"; }
  location /r { memcached_pass 127.0.0.1:%%PORT_6%%; }
  location /page { ssi on; alias %%DIR%%/www/; }
  location /auth { auth_request /m; return 200 in; }
  location /key { set $memcached_key $arg_k; memcached_pass 127.0.0.1:%%PORT_6%%; }
  location /uri { set $memcached_key "$uri?$args"; memcached_pass 127.0.0.1:%%PORT_6%%; }
  location /half { memcached_pass half; }
  location /dead { memcached_pass 127.0.0.1:%%PORT_8%%; }
  location /type.html { types { text/html html; } memcached_pass 127.0.0.1:%%PORT_6%%; }
  ${CONDITIONS.map((words, n) => `location /n${n} { memcached_next_upstream ${words}; memcached_pass two; }`).join('\n')} }`

const answerOf = (answer: string | Answer): Answer => (typeof answer === 'string' ? { send: answer } : answer)
const targets = [
  '/key?k=a',
  '/key',
  '/key?k=',
  '/key?k=a%20b',
  '/key?k=a%0d%0ab',
  '/key?k=a+b',
  `/key?k=${'x'.repeat(251)}`,
  `/key?k=${'x'.repeat(3000)}`,
  '/key?k=\xe4',
  '/key?k=%e4',
  '/key?k=a%00',
  '/key?k=%7f',
  '/uri/a%20b?c=%20',
  '/uri/a%0ab',
  '/uri/\xe4',
  '/uri/%e4%01',
  '/uri/a%25b',
  '/half',
  '/dead',
  '/type.html',
  '/m/',
]

/** What is asked about memcached. */
export const memcachedGroups: readonly Group[] = [
  {
    name: 'gateways: memcached',
    speech: 'memcached',
    http: conf,
    files: { 'www/page.html': 'one <!--# include virtual="/m/one" --> two <!--# include virtual="/g/two" --> three' },
    cases: Object.fromEntries([
      ...Object.entries(ANSWERS).flatMap(([name, answer]) =>
        ['/m', '/g', '/k', '/e'].map((place): [string, Case] => [
          `${place} <- ${name}`,
          { send: ask(place), answers: [answerOf(answer)] },
        ]),
      ),
      ...Object.entries(ANSWERS)
        .filter(([name]) => /^(?:hit|miss|gzipped|ERROR|value cut|nothing|large|end bad)/.test(name))
        .flatMap(([name, answer]) =>
          ['/gu', '/r', '/page/page.html', '/auth', ...CONDITIONS.map((_, n) => `/n${n}`)].flatMap(
            (place): [string, Case][] => [
              [`${place} <- ${name}`, { send: ask(place), answers: [answerOf(answer), { send: HIT }] }],
              [`HEAD ${place} <- ${name}`, { send: ask(place, [], 'HEAD'), answers: [answerOf(answer)] }],
            ],
          ),
        ),
      ...Object.entries(ANSWERS)
        .filter(([name]) => /^(?:hit|miss|more|end|no end|two|length|ERROR|byte)/.test(name))
        .map(([name, answer]): [string, Case] => [
          `kept <- ${name}`,
          {
            send: ['GET /k1 HTTP/1.1\r\nHost: h\r\n\r\n', 'GET /k2 HTTP/1.1\r\nHost: h\r\n\r\n', ask('/k3')],
            answers: [answerOf(answer), { send: HIT }],
          },
        ]),
      ...targets.map((target): [string, Case] => [
        target.slice(0, 40) + (target.length > 40 ? ` ${target.length}` : ''),
        { send: ask(target), answers: [{ send: 'END\r\n' }] },
      ]),
      ...['Range: bytes=1-', 'If-None-Match: *', 'Accept-Encoding: gzip'].flatMap((field) =>
        ['/m', '/r', '/g', '/gu'].map((place): [string, Case] => [
          `${place} ${field}`,
          {
            send: ask(place, [field]),
            answers: [{ send: place[1] === 'g' ? `VALUE a 2 ${GZIPPED.length}\r\n${GZIPPED}\r\nEND\r\n` : HIT }],
          },
        ]),
      ),
      ...['POST', 'PUT', 'OPTIONS', 'DELETE', 'FOO'].map((method): [string, Case] => [
        `${method} /m`,
        { send: ask('/m', ['Content-Length: 1'], method, 'x'), answers: [{ send: HIT }] },
      ]),
    ]),
  },
]
