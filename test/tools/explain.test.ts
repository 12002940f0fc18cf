/** `explain`: what it does not do, options, protocols of back ends; the answers are in questions.test.ts. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { Workshop } from './console.ts'

interface Told {
  readonly status: number
  readonly outcome: string
  readonly cause?: { readonly text: string }
  readonly advice: readonly { readonly text: string }[]
  readonly sections: readonly { readonly title: string; readonly lines: readonly { readonly text: string }[] }[]
}

async function explained(shop: Workshop, conf: string, words: readonly string[]): Promise<Told> {
  shop.write('nginx.conf', conf.replaceAll('%%DIR%%', shop.dir))
  const { out, error } = await shop.run(['explain', '-c', 'nginx.conf', '--json', ...words])
  assert.equal(error, '')
  return JSON.parse(out) as Told
}

function lines({ sections }: Told, title: string): string[] {
  return sections
    .filter((section) => section.title === title)
    .flatMap((section) => section.lines.map(({ text }) => text))
}

const server = (inner: string, around = ''): string =>
  `events {}\nhttp {\n${around}\nserver { listen 80; server_name a.com; ${inner} }\n}\n`

test('nothing is made, written or removed', async () => {
  using shop = new Workshop({ 'html/kept': 'x' })
  const conf = server(
    'root %%DIR%%/html; location /up/ { dav_methods PUT DELETE; create_full_put_path on; } location / { dav_methods PUT DELETE; }',
    'access_log %%DIR%%/access.log; proxy_cache_path %%DIR%%/cache keys_zone=c:1m; client_body_temp_path %%DIR%%/body;',
  )
  const removed = await explained(shop, conf, ['-X', 'DELETE', 'http://a.com/kept'])
  assert.match(removed.outcome, /no response/)
  assert.ok(lines(removed, 'phases').some((text) => text.includes('would carry out DELETE /kept')))
  await explained(shop, conf, ['-X', 'PUT', '--body-size', '10', 'http://a.com/up/new'])
  assert.deepEqual(fs.readdirSync(shop.dir).sort(), ['html', 'nginx.conf'])
  assert.deepEqual(fs.readdirSync(path.join(shop.dir, 'html')), ['kept'])
})

test('back ends are spoken to in each protocol, and what they are sent is shown', async () => {
  using shop = new Workshop()
  const sent = async (pass: string): Promise<string[]> => {
    const told = await explained(shop, server(`location / { ${pass} }`), [
      '--response-header',
      'Content-Type: text/plain',
      'http://a.com/x?y=1',
    ])
    assert.equal(told.status, 200, JSON.stringify(told))
    return lines(told, 'back end')
  }
  assert.ok((await sent('proxy_pass http://10.9.9.9;')).includes('GET /x?y=1 HTTP/1.1'))
  assert.ok((await sent('proxy_http_version 2; proxy_pass http://10.9.9.9;')).includes(':path: /x?y=1'))
  assert.ok((await sent('grpc_pass grpc://10.9.9.9:50051;')).includes(':path: /x?y=1'))
  assert.ok(
    (await sent('fastcgi_param SCRIPT_FILENAME /s.php; fastcgi_pass 10.9.9.9:9000;')).includes(
      'SCRIPT_FILENAME: /s.php',
    ),
  )
  assert.ok((await sent('uwsgi_param PATH_INFO $uri; uwsgi_pass 10.9.9.9:9000;')).includes('PATH_INFO: /x'))
  assert.ok((await sent('scgi_param PATH_INFO $uri; scgi_pass 10.9.9.9:9000;')).includes('PATH_INFO: /x'))
  assert.ok((await sent('set $memcached_key k; memcached_pass 10.9.9.9:11211;')).includes('get k'))
})

test('--status: what happens when the back end answers so', async () => {
  using shop = new Workshop({ 'html/sorry.html': 'sorry' })
  const conf = server(
    'root %%DIR%%/html; error_page 503 /sorry.html; location /api { proxy_intercept_errors on; proxy_pass http://10.9.9.9; }',
  )
  const told = await explained(shop, conf, ['--status', '503', 'http://a.com/api'])
  assert.equal(told.status, 503)
  assert.ok(lines(told, 'phases').includes('goes on inside the server at /sorry.html'))
})

test('the next server is asked when the first one fails', async () => {
  using shop = new Workshop()
  const conf = server(
    'location / { proxy_next_upstream http_503; proxy_pass http://g; }',
    'upstream g { server 10.9.9.1; server 10.9.9.2; }',
  )
  const told = await explained(shop, conf, ['--status', '503', 'http://a.com/'])
  const asked = lines(told, 'back end').filter((text) => text.startsWith('http://'))
  assert.deepEqual(asked.sort(), ['http://10.9.9.1:80/', 'http://10.9.9.2:80/'])
})

const GROUP = 'upstream g { server 10.9.9.1; server 10.9.9.2; } proxy_cache_path %%DIR%%/cache keys_zone=c:1m;'

test('--status: a back end that fails, and what the server makes of it', async () => {
  using shop = new Workshop({ 'html/sorry.html': 'sorry' })
  const conf = server(
    'root %%DIR%%/html; error_page 502 504 /sorry.html; location = /sorry.html { internal; } location / { proxy_connect_timeout 3s; proxy_read_timeout 5m; proxy_pass http://10.9.9.9; }',
  )
  for (const [failure, status, log, supposed] of [
    ['refused', 502, 'connect() failed (111: Connection refused) while connecting', 'that it refuses the connection'],
    [
      'connect-timeout',
      504,
      'upstream timed out (110: Connection timed out) while connecting',
      '3 s (proxy_connect_timeout)',
    ],
    [
      'timeout',
      504,
      'timed out (110: Connection timed out) while reading response header',
      '300 s (proxy_read_timeout)',
    ],
    ['reset', 502, 'upstream prematurely closed connection', 'that it closes the connection'],
    ['invalid', 502, 'upstream sent no valid HTTP/1.0 header', 'answers with nonsense'],
  ] as const) {
    const told = await explained(shop, conf, ['--status', failure, 'http://a.com/x'])
    assert.equal(told.status, status, failure)
    assert.ok(told.cause?.text.includes(log), told.cause?.text)
    assert.ok(lines(told, 'back end').at(-1)!.includes(supposed), failure)
    assert.ok(lines(told, 'phases').includes('goes on inside the server at /sorry.html'), failure)
  }
})

test('--status: one attempt after the other', async () => {
  using shop = new Workshop()
  const conf = server('location / { proxy_pass http://g; }', GROUP)
  const told = await explained(shop, conf, ['--status', 'timeout,201', 'http://a.com/x'])
  assert.equal(told.status, 201)
  assert.equal(lines(told, 'back end').filter((text) => text.startsWith('http://')).length, 2)
  const posted = await explained(shop, conf, ['-X', 'POST', '--status', 'timeout,201', 'http://a.com/x'])
  assert.equal(posted.status, 504)
  assert.ok(posted.advice.some(({ text }) => text.startsWith('no other server is asked: POST may have had an effect')))
  const only = server('location / { proxy_next_upstream error; proxy_pass http://g; }', GROUP)
  const lacks = await explained(shop, only, ['--status', 'timeout,201', 'http://a.com/x'])
  assert.ok(lacks.advice.some(({ text }) => text.endsWith('proxy_next_upstream lacks timeout')))
})

test('--status: what a cache and an error page could do', async () => {
  using shop = new Workshop()
  const conf = server(
    'error_page 502 /sorry; location / { proxy_cache c; proxy_cache_use_stale error; proxy_pass http://g; }',
    GROUP,
  )
  const stale = await explained(shop, conf, ['--status', 'refused', 'http://a.com/x'])
  assert.ok(stale.advice.some(({ text }) => text.endsWith('get that instead (proxy_cache_use_stale error)')))
  assert.ok(stale.advice.some(({ text }) => text.startsWith('the error page /sorry is asked of a back end, too')))
  const not = await explained(shop, conf, ['--status', '503', 'http://a.com/x'])
  assert.ok(not.advice.some(({ text }) => text.endsWith('proxy_cache_use_stale lacks http_503')))
})

test('--follow goes where redirects lead, and says when nobody listens there', async () => {
  using shop = new Workshop()
  shop.write('nginx.conf', server('location /old { return 301 /new; } location /new { return 200 here; }'))
  const followed = await shop.run(['explain', '-c', 'nginx.conf', '-L', 'http://a.com/old'])
  assert.match(followed.out, /^GET http:\/\/a.com\/old => 301 Moved Permanently, to http:\/\/a.com\/new$/m)
  assert.match(followed.out, /^GET http:\/\/a.com\/new => 200 OK$/m)
  assert.equal(followed.status, 0)
  const nobody = await shop.run(['explain', '-c', 'nginx.conf', 'https://a.com/'])
  assert.equal(nobody.status, 2)
  assert.match(
    nobody.error,
    /nothing listens on port 443: clients are refused by the system\n {2}hint: it listens on 0.0.0.0:80/,
  )
})

test('--live asks the back end', async () => {
  const origin = http.createServer((_request, response) => response.writeHead(418, { 'X-Own': 'yes' }).end('teapot'))
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  using shop = new Workshop()
  try {
    const { port } = origin.address() as AddressInfo
    const conf = server(`location / { proxy_pass http://127.0.0.1:${port}; }`)
    const told = await explained(shop, conf, ['--live', 'http://a.com/'])
    assert.equal(told.status, 418)
    assert.ok(lines(told, 'response').includes('X-Own: yes'))
    assert.equal((await explained(shop, conf, ['http://a.com/'])).status, 200)
  } finally {
    origin.closeAllConnections()
    origin.close()
  }
})

test('subrequests are told apart', async () => {
  using shop = new Workshop()
  const conf = server(
    'location / { auth_request /auth; proxy_pass http://10.9.9.9; } location = /auth { internal; proxy_pass http://10.9.9.8/check; }',
  )
  const told = await explained(shop, conf, ['http://a.com/x'])
  assert.equal(told.status, 200)
  assert.ok(lines(told, 'asks (subrequest)').includes('http://10.9.9.8:80/check'))
})

test('the name of a directive asks what that is for', async () => {
  using shop = new Workshop()
  const { status, out } = await shop.run(['explain', 'proxy_cache_lock'])
  assert.equal(status, 0)
  assert.match(out, /^```nginx\nproxy_cache_lock on \| off;\n```/)
  assert.match(out, /what protects a back end when something popular expires/)
  assert.match(out, /docs\/reference\/http_proxy\.md#proxy_cache_lock\n$/)
  const json = await shop.run(['explain', '--json', 'keepalive_timeout'])
  const found = JSON.parse(json.out) as { readonly module: string; readonly explanation: string }[]
  assert.deepEqual(
    found.map(({ module }) => module),
    ['http_core', 'http_upstream'],
  )
  assert.match(found[1]!.explanation, /idle connection to a back end/)
})

test('what cannot be asked is refused with a word', async () => {
  using shop = new Workshop()
  shop.write('nginx.conf', server('return 200;'))
  for (const [words, problem] of [
    [[], 'it takes one URL, or the name of a directive'],
    [['proxy_pas'], '"proxy_pas" is no directive'],
    [['ftp://a.com/'], '"ftp://a.com/" is no URL of http or https'],
    [
      ['--status', '99', 'http://a.com/'],
      '--status takes statuses from 200 to 599 and refused, connect-timeout, timeout, reset, invalid, not "99"',
    ],
    [['-H', 'nonsense', 'http://a.com/'], '-H takes "Name: value", not "nonsense"'],
    [['--from', 'me', 'http://a.com/'], '--from takes an IP address, not "me"'],
  ] as const) {
    const { status, error } = await shop.run(['explain', '-c', 'nginx.conf', ...words])
    assert.equal(status, 2)
    assert.ok(error.startsWith(`viaduct explain: ${problem}\n`), error)
  }
  shop.write('broken.conf', server('retrun 200;'))
  const broken = await shop.run(['explain', '-c', 'broken.conf', 'http://a.com/'])
  assert.equal(broken.status, 2)
  assert.match(broken.error, /unknown directive "retrun"/)
})

test('--http2 and --tls: another protocol, the same phases', async () => {
  using shop = new Workshop()
  const conf = server(
    'http2 on; location / { add_header X-Protocol "$server_protocol $http2"; proxy_pass http://10.9.9.9; }',
  )
  const told = await explained(shop, conf, ['--http2', '-X', 'POST', '--body-size', '40000', 'http://a.com/x'])
  assert.equal(told.status, 200, JSON.stringify(told))
  assert.ok(lines(told, 'response').includes('HTTP/2 200 OK'))
  assert.ok(lines(told, 'response').includes('x-protocol: HTTP/2.0 h2c'))
  assert.ok(lines(told, 'back end').includes('Content-Length: 40000'))
  const without = await explained(shop, conf.replace('http2 on;', ''), ['--http2', 'http://a.com/x'])
  assert.equal(without.cause?.text, '0.0.0.0:80 does not speak HTTP/2: http2 on;')
  const plain = await explained(shop, conf, ['--tls', 'http://a.com:80/x'])
  assert.equal(plain.cause?.text, 'the handshake of TLS fails: 0.0.0.0:80 speaks plain HTTP')
})

test('a login is not begun', async () => {
  using shop = new Workshop()
  const conf = server(
    'auth_oidc p; location / { return 200; } location /x { proxy_pass http://10.9.9.9; }',
    'oidc_provider p { issuer https://127.0.0.1:1; client_id me; client_secret s; }',
  )
  const told = await explained(shop, conf, ['http://a.com/x'])
  assert.match(told.outcome, /no response/)
  assert.ok(
    lines(told, 'rules').some((text) => text.startsWith('http_oidc would carry out GET /x')),
    JSON.stringify(told),
  )
})

test('texts beyond ASCII are asked for, matched and shown as they are written', async () => {
  using shop = new Workshop()
  const told = await explained(shop, server('location /ö { if ($arg_x = ä) { return 200 "ß $http_x"; } }'), [
    '-H',
    'X: ü',
    'http://a.com/%C3%B6?x=ä',
  ])
  assert.equal(told.status, 200)
  const text = JSON.stringify(told)
  for (const part of ['"/ö"', 'x=ä', '5 bytes of body']) assert.ok(text.includes(part), `${part} in ${text}`)
  const { out } = await shop.run(['explain', '-c', 'nginx.conf', 'http://a.com/%C3%B6?x=ä'])
  assert.ok(out.includes('return 200 "ß $http_x"'), out)
  assert.ok(!out.includes('\ufffd') && !out.includes('Ã'), out)
})
