/** No value that a variable holds may begin a field, or a message, of somebody else's making, whoever is written to. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { H2Client } from '../harness/h2-client.ts'
import { H2Peer } from '../harness/h2-peer.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const EVIL = 'x%0d%0aX-Evil:%201%0d%0a%0d%0aevil'
const BROKEN = Buffer.from('a\r\nX-Evil: 1:b').toString('base64')

async function head(server: Server, target: string, fields = ''): Promise<string> {
  return server.raw(`GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}Connection: close\r\n\r\n`)
}

test('fields of responses', async (t) => {
  await using peer = await Peer.start((request) =>
    reply('', [
      `Location: http://back/${request.line.split('/')[1]}`,
      'Refresh: 1; url=http://back/x',
      'Set-Cookie: a=b; Path=/',
    ]),
  )
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%; http2 on;
    location /location/ { return 302 https://$host$uri; }
    location /page/ { error_page 403 =302 http://there$uri; deny all; }
    location /rewrite/ { rewrite ^/rewrite/([^@]*)$ http://there/$1? permanent; }
    location /added/ { add_header X-Uri $uri; return 204; }
    location /user/ { add_header X-User $remote_user; return 204; }
    location /listed/ { add_header Location $uri always; add_header Refresh "1; url=$uri" always; return 204; }
    location /etag/ { add_header ETag $uri; add_header Last-Modified $uri; add_header X-After 1; return 204; }
    location /charset/ { charset $uri; return 200 ok; }
    location /realm/ { auth_basic $uri; auth_basic_user_file users; }
    location /trailer/ { add_trailer X-Uri $uri; add_trailer X-After $sent_trailer_x_uri.; return 200 ok; }
    location /back/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_redirect http://back/ http://front$uri;
      proxy_cookie_path / $uri; }
    location /folded/ { add_header X-Policy "default-src 'self';
        script-src $scheme"; add_header X-Always "a
      b"; return 204; }
    location /sent/ { add_header X-Uri $uri; add_header X-Sent "$sent_http_x_uri."; return 204; } } }`,
    { files: { users: 'a:{PLAIN}b\n' } },
  )
  for (const place of ['added', 'user', 'etag', 'charset', 'realm', 'trailer', 'back', 'sent']) {
    await t.test(`${place}: is left out`, async () => {
      const answer = await head(server, `/${place}/${EVIL}`, `Authorization: Basic ${BROKEN}\r\n`)
      assert.match(answer, /^HTTP\/1\.1 (200|204|401) /)
      assert.doesNotMatch(answer, /^(?:X-Evil|evil)/im)
    })
  }
  for (const place of ['location', 'page', 'rewrite', 'listed']) {
    await t.test(`${place}: is encoded`, async () => {
      const answer = await head(server, `/${place}/${EVIL}`)
      assert.match(answer, /\nLocation: [^\r\n]*\/x%0D%0AX-Evil:(?: |%20)1%0D%0A%0D%0Aevil\r\n/)
      if (place === 'listed') assert.match(answer, /\nRefresh: [^\r\n]*\/x%0D%0AX-Evil: 1%0D%0A%0D%0Aevil\r\n/)
    })
  }
  await t.test('the rest of the head is there, and the log says why', async () => {
    assert.match(await head(server, `/etag/${EVIL}`), /\nX-After: 1\r\n/)
    assert.match(await head(server, `/back/${EVIL}`), /\nLocation: http:\/\/front\/back\/x%0D%0AX-Evil/)
    assert.match(server.errorLog(), /\[error\] .* header "X-Uri" is not sent: its value has a line end or a NUL byte, /)
  })
  await t.test('a line that the configuration folds is one line', async () => {
    const answer = await head(server, '/folded/')
    assert.match(answer, /\r\nX-Policy: default-src 'self'; script-src http\r\n/)
    assert.match(answer, /\r\nX-Always: a b\r\n/)
  })
  await t.test('HTTP/2', async () => {
    await using client = await H2Client.connect(server.port())
    client.request(1, { path: `/added/${EVIL}` })
    assert.equal((await client.response(1)).headers['x-uri'], undefined)
    client.request(3, { path: `/location/${EVIL}` })
    assert.match((await client.response(3)).headers['location'] ?? '', /%0D%0AX-Evil/)
    client.request(5, { path: `/trailer/${EVIL}` })
    assert.deepEqual((await client.response(5)).trailers, { 'x-after': '.' })
  })
})

test('fields of requests', async (t) => {
  await using peer = await Peer.start()
  await using two = await H2Peer.start()
  const own = 'X-Uri $uri; proxy_set_header X-User $remote_user; proxy_set_header X-After 1'
  await using server = await startViaduct(`http {
    map $uri $proxy_own { default $uri; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location /one/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_set_header ${own}; }
      location /own/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_set_header X-Own $proxy_own; }
      location /two/ { proxy_pass http://127.0.0.1:${two.port}; proxy_http_version 2; proxy_set_header ${own}; }
      location /grpc/ { grpc_pass 127.0.0.1:${two.port}; grpc_set_header X-Uri $uri; grpc_set_header X-After 1; }
      location /method/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_method $uri; }
      location /fold/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_set_header X-Uri $uri; }
      location ~ ^/to/([^@]*)$ { proxy_pass http://$1:1/; } } }`)
  const ask = (target: string) => head(server, target, `Authorization: Basic ${BROKEN}\r\nX-Uri: mine\r\n`)
  await t.test('HTTP/1: the field is left out, and the client has no say in it', async () => {
    await ask(`/one/${EVIL}`)
    const request = peer.requests.at(-1)!
    assert.deepEqual(
      request.fields.map(([name]) => name),
      ['Host', 'X-After', 'Authorization'],
    )
    assert.match(server.errorLog(), /\[error\] .* header "X-User" is not sent: /)
  })
  await t.test('a variable of the configuration is no built-in one', async () => {
    await ask(`/own/${EVIL}`)
    assert.equal(peer.requests.at(-1)!.field('x-own'), undefined)
    assert.equal(peer.requests.at(-1)!.field('x-evil'), undefined)
  })
  await t.test('HTTP/2 and gRPC', async () => {
    two.onRequest = (stream) => stream.reply('ok')
    for (const place of ['two', 'grpc']) {
      await ask(`/${place}/${EVIL}`)
      const { fields } = two.streams.at(-1)!
      assert.equal(fields.get('x-after'), '1')
      assert.equal(fields.get('x-uri'), undefined)
    }
  })
  await t.test('a method or a host with line ends is none', async () => {
    const before = peer.requests.length
    assert.match(await ask(`/method/${EVIL}`), /^HTTP\/1\.1 500 /)
    assert.match(await ask('/to/a%0d%0ab'), /^HTTP\/1\.1 500 /)
    assert.equal(peer.requests.length, before)
    assert.match(server.errorLog(), /invalid host in upstream "a\\x0D\\x0Ab:1\/"/)
  })
  await t.test('a folded line goes on', async () => {
    await ask('/fold/a%0a%09b')
    assert.equal(peer.requests.at(-1)!.field('x-uri'), '/fold/a b')
  })
  await t.test('lines of the error log are ours', async () => {
    await head(server, '/nothing%0a2026/01/01%2000:00:00%20[emerg]%20forged')
    assert.match(server.errorLog(), /\/nothing\\x0A2026\/01\/01 00:00:00 \[emerg\] forged" failed/)
    assert.doesNotMatch(server.errorLog(), /^2026\/01\/01/m)
  })
})
