/** When a client's connection stays open and when it is closed, and several requests on one. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const conf = (
  http: string,
) => `http { access_log %%DIR%%/access.log all; log_format all '$connection_requests $uri $pipe';
  ${http} server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 "[$uri]"; }
  location /close { keepalive_timeout 0; keepalive_min_timeout 1m; return 200 "[$uri]"; } } }`

/** What says whether a connection stays, and whether it does. */
const CASES: readonly (readonly [string, boolean])[] = [
  ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', true],
  ['GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', false],
  ['GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n', false],
  ['GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n', true],
  ['GET / HTTP/1.0\r\n\r\n', false],
  ['GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', true],
  ['GET / HTTP/1.0\r\nConnection: close\r\n\r\n', false],
  ['GET /close HTTP/1.1\r\nHost: x\r\n\r\n', false],
  ['HEAD / HTTP/1.1\r\nHost: x\r\n\r\n', true],
  ['GET / HTTP/1.2\r\nHost: x\r\n\r\n', true],
  ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', true],
  ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', true],
]

test('what keeps a connection open', async (t) => {
  await using server = await startViaduct(conf(''))
  for (const [request, stays] of CASES) {
    await t.test(JSON.stringify(request), async () => {
      using client = await server.connect()
      client.write(request)
      const head = await client.until(/\r\n\r\n/)
      assert.match(head, stays ? /\r\nConnection: keep-alive\r\n/ : /\r\nConnection: close\r\n/)
      if (!stays) await client.rest()
      else {
        client.write('GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        assert.match(await client.rest(), /\[\/second\]$/)
      }
    })
  }
})

/** The bodies of all answers on one connection that gets all requests at once. */
async function bodies(server: Server, requests: string): Promise<string> {
  return [...(await server.raw(requests)).matchAll(/\[([^\]]*)\]/g)].map((match) => match[1]).join(' ')
}

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`

test('pipelined requests are answered in order', async () => {
  await using server = await startViaduct(conf(''))
  const many = Array.from({ length: 500 }, (_, i) => `/${i}`)
  const requests = many.map((path) => get(path)).join('') + get('/end', 'Connection: close\r\n')
  assert.equal(await bodies(server, requests), [...many, '/end'].join(' '))
  await server.until('all are logged', () => server.accessLog().split('\n').length === 502)
  assert.match(server.accessLog(), /^1 \/0 \.\n2 \/1 p\n3 \/2 p\n/)
})

test('bodies stand between pipelined requests, read or not', async () => {
  await using server = await startViaduct(conf(''))
  const post = 'POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nGET /no HTTP/1.1\r\n\r\n\r\n'
  const chunks =
    'POST /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\nX-T: 1\r\n\r\n'
  assert.equal(await bodies(server, post + chunks + get('/end', 'Connection: close\r\n')), '/post /chunked /end')
})

test('who has not waited for answers may have sent more when the connection ends, and is not reset for it', async () => {
  await using server = await startViaduct(conf('keepalive_requests 3;'))
  // A client that goes on although it has heard of the end.
  const client = net.connect({ port: server.port(), allowHalfOpen: true })
  let received = ''
  client.on('data', (bytes: Buffer) => {
    received += bytes.latin1Slice()
  })
  client.write(get('/a') + get('/b'))
  await server.until('both are answered', () => received.endsWith('[/b]'))
  client.write(get('/c'))
  await once(client, 'end')
  assert.match(received, /\[\/c\]$/)
  for (const late of ['/d', '/e']) {
    client.write(get(late))
    // Who asks after that is answered when the kernel has dealt with it.
    assert.equal(await bodies(server, get('/other', 'Connection: close\r\n')), '/other')
  }
  client.end()
  // A connection that is reset is an error here.
  await once(client, 'close')
})

test('nothing is answered behind Connection: close', async () => {
  await using server = await startViaduct(conf(''))
  assert.equal(await bodies(server, get('/a', 'Connection: close\r\n') + get('/b')), '/a')
})

test('keepalive_requests', async () => {
  await using server = await startViaduct(conf('keepalive_requests 3;'))
  assert.equal(await bodies(server, get('/1') + get('/2') + get('/3') + get('/4')), '/1 /2 /3')
})

test('keepalive_timeout closes an idle connection, and is told', async () => {
  await using server = await startViaduct(conf('keepalive_timeout 100ms 7s;'))
  assert.match(await server.raw(get('/')), /\r\nKeep-Alive: timeout=7\r\n/)
})

test('keepalive_time', async () => {
  await using server = await startViaduct(conf('keepalive_time 50ms;'))
  // Before the connection is there: it may be accepted long before this test hears of it.
  const start = performance.now()
  using client = await server.connect()
  for (let i = 1; !client.received.includes('Connection: close'); i++) {
    client.write(get(`/${i}`))
    await client.until(new RegExp(`\\[/${i}\\]$`))
  }
  // The server counts whole milliseconds of its clock.
  assert.ok(performance.now() - start > 49)
  assert.match(await client.rest(), /Connection: close\r\n\r\n\[\/\d+\]$/)
})

test('empty lines before a request are skipped', async () => {
  await using server = await startViaduct(conf(''))
  assert.equal(await bodies(server, `\r\n\r\n${get('/a')}\r\n${get('/b', 'Connection: close\r\n')}`), '/a /b')
})

test('HTTP/0.9 is answered with a body alone', async () => {
  await using server = await startViaduct(conf(''))
  assert.equal(await server.raw('GET /nine\r\n'), '[/nine]')
})

test('keepalive_time begins when the client has connected, before TLS', async () => {
  const certificates = new Certificates()
  const { certFile, keyFile } = certificates.make('h')
  await using server =
    await startViaduct(`http { keepalive_time 100ms; keepalive_timeout 1s; server { listen 127.0.0.1:%%PORT_0%% ssl;
    ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; return 200 ok; } }`)
  certificates.remove()
  const socket = net.connect(server.port(), '127.0.0.1')
  await once(socket, 'connect')
  // Longer is no matter: only the age is tested, which grows.
  await new Promise((resolve) => setTimeout(resolve, 150))
  const secure = tls.connect({ socket, rejectUnauthorized: false })
  secure.setEncoding('latin1').write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  let text = ''
  for await (const part of secure) text += part
  assert.match(text, /\r\nConnection: close\r\n.*ok$/s)
})
