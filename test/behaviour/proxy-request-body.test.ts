/** Request bodies on the way to the back end: in memory, through a file, or as they come. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'
import { standstill } from '../harness/wait.ts'

const LARGE = 'abcdefghij'.repeat(30_000)

/** A chunked body of pieces. */
function chunks(...pieces: readonly string[]): string {
  return [...pieces, ''].map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')
}

function post(target: string, fields: string, body: string): string {
  return `POST ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n\r\n${body}`
}

const conf = (peer: Peer) => `http { client_body_temp_path %%DIR%%/body; client_body_buffer_size 8k;
  server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; }
    location /stream { proxy_pass http://127.0.0.1:${peer.port}; proxy_request_buffering off; }
    location /stream-old { proxy_pass http://127.0.0.1:${peer.port}; proxy_request_buffering off; proxy_http_version 1.0; }
  } }`

test('bodies of every kind arrive', async (t) => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer))
  const sent = async (request: string) => {
    assert.match(await server.raw(request), /^HTTP\/1\.1 200 /)
    return peer.requests.at(-1)!
  }
  for (const [name, body] of [
    ['small', 'hello'],
    ['large', LARGE],
  ] as const) {
    for (const target of ['/', '/stream']) {
      await t.test(`${name}, with a length, to ${target}`, async () => {
        const request = await sent(post(target, `Content-Length: ${body.length}`, body))
        assert.equal(request.field('content-length'), String(body.length))
        assert.ok(request.body === body)
      })
      await t.test(`${name}, chunked, to ${target}`, async () => {
        const request = await sent(post(target, 'Transfer-Encoding: chunked', chunks('-', body)))
        assert.ok(request.body === `-${body}`)
        // What is read before it is sent has a length, and what came whole with its head; what is streamed has not.
        const streamed = target !== '/' && body === LARGE
        const length = streamed ? undefined : String(body.length + 1)
        assert.equal(request.field('content-length'), length)
        assert.equal(request.field('transfer-encoding'), length === undefined ? 'chunked' : undefined)
      })
    }
  }
  await t.test('an empty body has a length', async () => {
    assert.equal((await sent(post('/', 'Content-Length: 0', ''))).field('content-length'), '0')
  })
  await t.test('an empty chunked body', async () => {
    assert.equal((await sent(post('/', 'Transfer-Encoding: chunked', chunks()))).body, '')
    assert.equal((await sent(post('/stream', 'Transfer-Encoding: chunked', chunks()))).body, '')
  })
  await t.test('chunks cannot be streamed to HTTP/1.0: the body is read first', async () => {
    const request = await sent(post('/stream-old', 'Transfer-Encoding: chunked', chunks('abc')))
    assert.equal(request.line, 'POST /stream-old HTTP/1.0')
    assert.equal(request.field('content-length'), '3')
    assert.equal(request.body, 'abc')
  })
})

test('a streamed body reaches the back end before it is complete, a buffered one after', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer))
  using streaming = await server.connect()
  streaming.write(post('/stream', 'Content-Length: 10', 'first'))
  await peer.until(() => peer.received[0]?.endsWith('\r\n\r\nfirst') === true)
  using buffering = await server.connect()
  buffering.write(post('/', 'Content-Length: 10', 'first'))
  streaming.write('-last')
  assert.match(await streaming.rest(), /^HTTP\/1\.1 200 /)
  assert.equal(peer.sockets.length, 1)
  buffering.write('-last')
  assert.match(await buffering.rest(), /^HTTP\/1\.1 200 /)
  assert.deepEqual(
    peer.requests.map(({ body }) => body),
    ['first-last', 'first-last'],
  )
})

test('a streamed body that came whole is one that was read: with a length, judged before a back end is asked, sent again', async () => {
  let refused = 1
  await using peer = await Peer.start(({ body }) => (refused-- > 0 ? reply('no', [], '500 Error') : reply(body)))
  await using server =
    await startViaduct(`http { upstream two { server 127.0.0.1:${peer.port}; server 127.0.0.1:${peer.port}; }
    proxy_request_buffering off; proxy_next_upstream http_500;
    server { listen 127.0.0.1:%%PORT_0%%; client_body_buffer_size 100; location / { proxy_pass http://two; } } }`)
  assert.match(await server.raw(post('/', 'Transfer-Encoding: chunked', 'x\r\n')), /^HTTP\/1\.1 400 /)
  assert.equal(peer.sockets.length, 0)
  const request = post('/', 'Transfer-Encoding: chunked', chunks('abc', 'def')).replace('POST', 'PUT')
  assert.match(await server.raw(request), /^HTTP\/1\.1 200 [\s\S]*abcdef$/)
  assert.deepEqual(
    peer.requests.map((one) => `${one.field('content-length')} ${one.body}`),
    ['6 abcdef', '6 abcdef'],
  )
  // Of one that has begun, the first bytes go first, in a chunk of their own.
  using late = await server.connect()
  late.write(post('/', 'Transfer-Encoding: chunked', '3\r\nabc\r\n3'))
  await peer.until(() => peer.received.some((text) => text.endsWith('\r\n\r\n3\r\nabc\r\n')))
  late.write('\r\ndef\r\n0\r\n\r\n')
  assert.match(await late.rest(), /^HTTP\/1\.1 200 [\s\S]*abcdef$/)
})

test('what has come of a body that was to be streamed is not lost when another location takes it', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(`http { client_body_buffer_size 16;
    server { listen 127.0.0.1:%%PORT_0%%; location @read { proxy_pass http://127.0.0.1:${peer.port}; }
      location @stream { proxy_pass http://127.0.0.1:${peer.port}; proxy_request_buffering off; }
      location / { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_request_buffering off; error_page 502 = @read;
        location /streamed { proxy_pass http://127.0.0.1:%%PORT_1%%; error_page 502 = @stream; } } } }`)
  const refused = () => server.errorLog().split('connect() failed').length - 1
  for (const [index, target] of ['/', '/streamed'].entries()) {
    using client = await server.connect()
    client.write(post(target, 'Content-Length: 20', 'first-piece,'))
    await server.until('it cannot be streamed', () => refused() > index)
    client.write('and-more')
    assert.match(await client.rest(), /^HTTP\/1\.1 200 /)
    assert.equal(peer.requests.at(-1)?.body, 'first-piece,and-more', target)
  }
})

test('a back end that does not read makes the client wait', async () => {
  const total = 64_000_000
  let taken = 0
  let back: net.Socket | undefined
  const backEnd = net.createServer((socket) => {
    back = socket.on('data', (piece: Buffer) => {
      if (taken === 0) socket.pause()
      taken += piece.length
    })
  })
  await once(backEnd.listen(0, '127.0.0.1'), 'listening')
  await using server = await startViaduct(`http { client_max_body_size 0; server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${(backEnd.address() as net.AddressInfo).port}; proxy_request_buffering off; } } }`)
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'latin1'))?.[1])
  using client = await server.connect()
  const before = resident()
  client.write(post('/', `Content-Length: ${total}`, ''))
  client.socket.write(Buffer.alloc(total, 'x'))
  await server.until('the back end is there', () => taken > 0)
  // The kernel takes what its buffers hold, then nothing moves.
  await standstill(() => client.socket.writableLength)
  assert.ok(client.socket.writableLength > 0)
  assert.ok(resident() - before < 20_000, `${resident() - before} kB`)
  back!.resume()
  await server.until('all arrives', () => taken > total)
  back!.destroy()
  backEnd.close()
})

test('Expect: 100-continue is answered here', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer))
  using client = await server.connect()
  client.write(post('/', 'Content-Length: 5\r\nExpect: 100-continue', ''))
  await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
  assert.equal(peer.sockets.length, 0)
  client.write('hello')
  assert.match(await client.rest(), /\r\n\r\nHTTP\/1\.1 200 /)
  assert.equal(peer.request.body, 'hello')
  assert.equal(peer.request.field('expect'), undefined)
})

test('a client that stops in its body never reaches the back end', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer))
  using client = await server.connect()
  client.write(post('/', 'Content-Length: 10', 'half'))
  client.socket.end()
  await client.rest()
  await server.logged(/client prematurely closed connection/)
  assert.equal(peer.sockets.length, 0)
})

test('Expect: 100-continue is answered where there is no body to wait for, too', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; }
    location /unbuffered { proxy_pass http://127.0.0.1:${peer.port}; proxy_request_buffering off; }
    location /without { proxy_pass http://127.0.0.1:${peer.port}; proxy_pass_request_body off; } } }`)
  const ask = (method: string, target: string, fields: string, version = '1.1'): Promise<string> =>
    server.raw(
      `${method} ${target} HTTP/${version}\r\nHost: x\r\nConnection: close\r\nExpect: 100-Continue\r\n${fields}\r\n`,
    )
  for (const target of ['/', '/unbuffered', '/without']) {
    assert.match(
      await ask('POST', target, 'Content-Length: 0\r\n'),
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    )
    assert.match(await ask('GET', target, ''), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  }
  assert.match(await ask('POST', '/', 'Content-Length: 0\r\n', '1.0'), /^HTTP\/1\.1 200 OK\r\n/)
  assert.deepEqual(new Set(peer.requests.map((request) => request.field('expect'))), new Set([undefined]))
})

test('Expect: 100-continue is answered although the body has come, and counts; a body that nobody wants does not', async () => {
  await using peer = await Peer.start()
  await using server =
    await startViaduct(`http { log_format sizes '$uri $request_length $bytes_sent'; access_log access.log sizes;
    server { listen 127.0.0.1:%%PORT_0%%; server_tokens off; proxy_pass_header Date;
    location /passed { proxy_pass http://127.0.0.1:${peer.port}; }
    location /unbuffered { proxy_pass http://127.0.0.1:${peer.port}; proxy_request_buffering off; }
    location /dropped { return 204; } } }`)
  for (const target of ['/passed', '/unbuffered']) {
    const sent = post(target, 'Content-Length: 5\r\nExpect: 100-continue', 'hello')
    const answer = await server.raw(sent)
    assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
    const line = `${target} ${sent.length} ${answer.length}\n`
    await server.until(`${line} is logged`, () => server.accessLog().includes(line))
  }
  const sent = post('/dropped', 'Content-Length: 5', 'hello')
  await server.raw(sent)
  await server.until('it is logged', () => server.accessLog().includes(`/dropped ${sent.length - 5} `))
})

test('a body that is not passed on is read and judged first', async (t) => {
  await using peer = await Peer.start()
  await using server = await startViaduct(`http { client_max_body_size 10;
    server { listen 127.0.0.1:%%PORT_0%%;
      location /none { proxy_pass http://127.0.0.1:${peer.port}; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
      location /other { proxy_pass http://127.0.0.1:${peer.port}; proxy_set_body other; proxy_request_buffering off; }
    } }`)
  for (const [target, body] of [
    ['/none', ''],
    ['/other', 'other'],
  ] as const) {
    await t.test(`${target}: a good one`, async () => {
      assert.match(await server.raw(post(target, 'Transfer-Encoding: chunked', chunks('hello'))), /^HTTP\/1\.1 200 /)
      assert.equal(peer.requests.at(-1)!.body, body)
    })
    await t.test(`${target}: others are refused, and nobody is asked`, async () => {
      const before = peer.requests.length
      const tooLarge = await server.raw(post(target, 'Transfer-Encoding: chunked', chunks('hello', 'world', '!')))
      assert.match(tooLarge, /^HTTP\/1\.1 413 /)
      assert.match(await server.raw(post(target, 'Transfer-Encoding: chunked', '5\r\nhello!')), /^HTTP\/1\.1 400 /)
      assert.equal(peer.requests.length, before)
    })
  }
})

test('the log tells of bodies in files: a warning, or a notice where it is wanted', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(`error_log error.log notice; http { server { listen 127.0.0.1:%%PORT_0%%;
    client_body_buffer_size 4; proxy_request_buffering on;
    location /large { proxy_pass http://127.0.0.1:${peer.port}; }
    location /wanted { client_body_in_file_only clean; proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  for (const target of ['/large', '/wanted']) {
    await (await fetch(server.url(target), { method: 'POST', body: 'more than four' })).text()
  }
  await server.logged(/\[warn\] .* a client request body is buffered to a temporary file .*"POST \/large/)
  await server.logged(/\[notice\] .* a client request body is buffered to a temporary file .*"POST \/wanted/)
})

test('where every body goes to a file, one of no bytes has a file too, and is not told of', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(`error_log error.log notice; http { client_body_temp_path %%DIR%%/body;
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { client_body_in_file_only clean; proxy_set_header File $request_body_file;
        proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  for (const [fields, body, hasFile] of [
    ['Content-Length: 0', '', true],
    ['Transfer-Encoding: chunked', chunks(), true],
    ['A: b', '', false],
    ['Content-Length: 3', 'abc', true],
  ] as const) {
    assert.match(await server.raw(post('/', fields, body)), /^HTTP\/1\.1 200 /)
    assert.equal(/\/body\/\d+$/.test(peer.requests.at(-1)!.field('file') ?? ''), hasFile, fields)
  }
  await server.logged(/is buffered to a temporary file/)
  assert.equal(server.prefix.read('error.log').match(/is buffered to a temporary file/g)!.length, 1)
  assert.deepEqual(fs.readdirSync(server.prefix.path('body')), [])
})
