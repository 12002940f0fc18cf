/** ngx_http_addition_module: order, large parts, slow readers, compression of the whole. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const LARGE = 3_000_000
const before_ = 'b'.repeat(LARGE)
const page = 'p'.repeat(LARGE)
const after_ = 'a'.repeat(LARGE)

const CONF = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    default_type text/html;
    add_before_body /before;
    add_after_body /after;
    location / { }
    location /zipped { gzip on; alias %%DIR%%/page; }
    location /proxied { proxy_pass http://127.0.0.1:%%PORT_1%%/page; }
    location /mixed { add_before_body /remote; alias %%DIR%%/page; }
    location /remote { proxy_pass http://127.0.0.1:%%PORT_1%%/before; }
    location /limited { limit_rate 20m; proxy_pass http://127.0.0.1:%%PORT_1%%/page; add_before_body /remote; }
    location /missing { add_after_body /no; return 200 x; }
    location /broken { add_before_body /reset; return 200 x; }
    location /reset { return 444; }
  }
  server { listen 127.0.0.1:%%PORT_1%%; root %%DIR%%; default_type text/html; location / { } }
}`

let server: Server
before(async () => {
  server = await startViaduct(CONF, { files: { before: before_, page, after: after_, '0': 'never read' } })
})
after(() => server[Symbol.asyncDispose]())

for (const place of ['/page', '/proxied', '/mixed', '/limited']) {
  test(`before, the response, after: ${place}`, async () => {
    const text = await (await fetch(server.url(place))).text()
    assert.ok(text === before_ + page + after_, `${text.length} bytes`)
  })
}

test('a reader that is slow gets it all in order', async () => {
  const client = await server.connect()
  client.write('GET /mixed HTTP/1.0\r\n\r\n')
  const text = await client.rest()
  assert.ok(text.endsWith(`\r\n\r\n${before_}${page}${after_}`))
})

test('the whole is compressed as one', async () => {
  const text = await server.raw('GET /zipped HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n')
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  assert.match(text, /Content-Encoding: gzip/)
  const bytes: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.slice(at, end), 16)
    if (size === 0) break
    bytes.push(Buffer.from(body.slice(end + 2, end + 2 + size), 'latin1'))
    at = end + 2 + size + 2
  }
  assert.ok(gunzipSync(Buffer.concat(bytes)).toString() === before_ + page + after_)
})

test('a part that is missing shows its error page in its place', async () => {
  const text = await (await fetch(server.url('/missing'))).text()
  assert.ok(text.startsWith(`${before_}x<html>`))
  assert.match(text.slice(LARGE), /404 Not Found/)
})

test('a head request has none', async () => {
  const response = await fetch(server.url('/page'), { method: 'HEAD' })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-length'), null)
})

test('a part that is not answered at all ends the request', async () => {
  assert.equal(await server.raw('GET /broken HTTP/1.0\r\n\r\n'), '')
})

test('a response that breaks off has its head all the same, and what stands before it', async () => {
  await using peer = await Peer.start(() => 'HTTP/1.1 200 OK\r\nX-Own: a\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n')
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; addition_types *;
    location /before { add_before_body /x; proxy_pass http://127.0.0.1:${peer.port}; }
    location /after { add_after_body /x; proxy_pass http://127.0.0.1:${peer.port}; } location /x { return 200 x; } } }`)
  for (const [path, body] of [
    ['/before', 'x'],
    ['/after', ''],
  ] as const) {
    const text = await server.raw(`GET ${path} HTTP/1.0\r\nHost: x\r\n\r\n`)
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n.*\r\nX-Own: a\r\n\r\nx?$/s, path)
    assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), body, path)
  }
})
