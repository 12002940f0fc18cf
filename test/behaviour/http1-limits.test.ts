/** Sizes, counts and time-outs of what a client sends, and what answers their excess. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { Client, type Server, startViaduct } from '../harness/server.ts'

const conf = (http: string, location = 'location / { return 200 "ok"; }') => `http { access_log %%DIR%%/access.log all;
  log_format all '$status $request_length'; client_body_temp_path %%DIR%%/body; ${http}
  server { listen 127.0.0.1:%%PORT_0%%; ${location} } }`

async function status(server: Server, request: string): Promise<number> {
  return Number(/^HTTP\/1\.1 (\d+) /.exec(await server.raw(request))?.[1])
}

const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`

test('sizes of heads', async (t) => {
  await using server = await startViaduct(conf('client_header_buffer_size 1k; large_client_header_buffers 2 2k;'))
  const cases: readonly (readonly [string, number, string])[] = [
    ['a line of 1500 bytes', 200, get(`/${'a'.repeat(1500)}`)],
    ['a line of 2100 bytes', 414, get(`/${'a'.repeat(2100)}`)],
    ['a field of 1500 bytes', 200, get('/', `X-A: ${'a'.repeat(1500)}\r\n`)],
    ['a field of 2100 bytes', 400, get('/', `X-A: ${'a'.repeat(2100)}\r\n`)],
    ['too many bytes of fields', 400, get('/', `X-A: ${'a'.repeat(1000)}\r\n`.repeat(9))],
    ['a line that never ends', 414, `GET /${'a'.repeat(10_000)}`],
    ['a field that never ends', 400, `GET / HTTP/1.1\r\nX-A: ${'a'.repeat(10_000)}`],
  ]
  for (const [name, expected, request] of cases) {
    await t.test(name, async () => assert.equal(await status(server, request), expected))
  }
})

test('a head may come byte by byte', async () => {
  await using server = await startViaduct(conf(''))
  using client = await server.connect()
  client.socket.setNoDelay(true)
  for (const char of get('/', 'X-A: 1\r\n')) client.write(char)
  assert.match(await client.rest(), /ok$/)
})

test('max_headers', async () => {
  await using server = await startViaduct(conf('max_headers 5;'))
  assert.equal(await status(server, get('/', 'X-A: 1\r\n'.repeat(3))), 200)
  assert.equal(await status(server, get('/', 'X-A: 1\r\n'.repeat(4))), 400)
})

test('client_max_body_size', async (t) => {
  await using server = await startViaduct(
    conf(
      'client_max_body_size 10;',
      'location / { proxy_pass http://127.0.0.1:%%PORT_0%%/ok; } location /ok { client_max_body_size 0; return 200 ok; }',
    ),
  )
  const post = (fields: string, body: string) =>
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n\r\n${body}`
  await t.test('fits', async () => assert.equal(await status(server, post('Content-Length: 10', '0123456789')), 200))
  await t.test('announced: refused before it is read', async () => {
    assert.equal(await status(server, post('Content-Length: 11', '')), 413)
  })
  await t.test('chunked: refused when it is too much', async () => {
    const chunks = '6\r\n012345\r\n'.repeat(2)
    assert.equal(await status(server, post('Transfer-Encoding: chunked', `${chunks}0\r\n\r\n`)), 413)
  })
  await t.test('a client that waits for 100 is refused at once', async () => {
    assert.equal(await status(server, post('Content-Length: 11\r\nExpect: 100-continue', '')), 413)
  })
  await t.test('a client that goes on sending still reads the answer', async () => {
    using client = await server.connect()
    client.write(post('Content-Length: 3000000', ''))
    for (let i = 0; i < 30; i++) client.write('x'.repeat(100_000))
    assert.match(await client.rest(), /^HTTP\/1\.1 413 /)
  })
})

test('client_header_timeout', async (t) => {
  await using server = await startViaduct(conf('client_header_timeout 100ms;'))
  await t.test('half a request: closed, and 408 in the log', async () => {
    assert.equal(await server.raw('GET / HT'), '')
    await server.until('it is logged', () => /^408 /m.test(server.accessLog()))
  })
  await t.test('nothing: closed, and nothing in the log', async () => {
    assert.equal(await server.raw(''), '')
    assert.equal(server.accessLog().split('\n').length, 2)
  })
})

test('client_body_timeout', async () => {
  await using server = await startViaduct(
    conf('client_body_timeout 100ms;', 'location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }'),
  )
  const request = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf'
  await server.raw(request)
  await server.until('it is logged', () => /^408 /m.test(server.accessLog()))
})

test('reset_timedout_connection resets', async () => {
  await using server = await startViaduct(
    conf(
      'client_body_timeout 100ms; reset_timedout_connection on;',
      'location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }',
    ),
  )
  using client = await server.connect()
  let error = ''
  client.socket.on('error', (cause: NodeJS.ErrnoException) => {
    error = cause.code ?? ''
  })
  client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
  await client.rest()
  assert.equal(error, 'ECONNRESET')
})

test('Expect', async (t) => {
  await using server = await startViaduct(
    conf('', 'location / { proxy_pass http://127.0.0.1:%%PORT_0%%/ok; } location /ok { return 200 ok; }'),
  )
  const post = (version: string, body: string) =>
    `POST / HTTP/${version}\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n${body}`
  await t.test('is answered when the body is wanted and not there', async () => {
    using client = await server.connect()
    client.write(post('1.1', ''))
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    client.write('hi')
    assert.match(await client.rest(), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  })
  await t.test('is not when nobody wants it', async () => {
    const answer = await server.raw(post('1.1', '').replace('POST /', 'POST /ok'))
    assert.match(answer, /^HTTP\/1\.1 200 /)
  })
  await t.test('means nothing in HTTP/1.0', async () => {
    assert.match(await server.raw(post('1.0', 'hi')), /^HTTP\/1\.1 200 /)
  })
})

test('the buffers of a head are those of the address, and of the server that SNI names', async () => {
  const certificates = new Certificates()
  const { certFile, keyFile } = certificates.make('b.test', { names: ['a.test'] })
  await using server = await startViaduct(`http { ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};
    server { listen %%PORT_0%%; large_client_header_buffers 2 1k; return 200 any; }
    server { listen 127.0.0.1:%%PORT_0%%; return 200 one; }
    server { listen 127.0.0.1:%%PORT_1%% ssl; server_name a.test; large_client_header_buffers 2 1k; return 200 a; }
    server { listen 127.0.0.1:%%PORT_1%% ssl; server_name b.test; return 200 b; } }`)
  const long = (host: string): string =>
    `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${'x'.repeat(3000)}\r\nConnection: close\r\n\r\n`
  using other = await Client.connect(server.port(), '127.0.0.2')
  other.write(long('x'))
  assert.match(await other.rest(), /^HTTP\/1\.1 400 /)
  assert.match(await server.raw(long('x')), /\r\n\r\none$/)
  const overTls = (servername: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = ''
      const socket = tls.connect({ port: server.port(1), host: '127.0.0.1', servername, rejectUnauthorized: false })
      socket.setEncoding('latin1').on('data', (piece: string) => {
        text += piece
      })
      socket.on('error', reject).on('close', () => resolve(text))
      socket.write(long(servername))
    })
  assert.match(await overTls('a.test'), /^HTTP\/1\.1 400 /)
  assert.match(await overTls('b.test'), /\r\n\r\nb$/)
  fs.rmSync(certificates.dir, { recursive: true })
})
