/** gRPC through the server: all kinds of calls by @grpc/grpc-js, and by Python's grpcio on either side. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import grpc from '@grpc/grpc-js'
import { Certificates } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { BackEnd, PYTHON } from './back-ends.ts'
import { EchoClient, EchoServer } from './grpc-echo.ts'

const ECHO = fileURLToPath(new URL('fixtures/grpc_echo.py', import.meta.url))
const EXPECTED_BY_PYTHON = [
  'unary hello 5',
  'large 20000000',
  'stream message 0 message 1 message 2',
  'sum 4950',
  'both ONE TWO THREE',
  'error FAILED_PRECONDITION not now tired',
]

function start(port: number, more = ''): Promise<Server> {
  return startViaduct(`http { client_max_body_size 0; upstream grpc_backend { server 127.0.0.1:${port}; keepalive 4; }
    server { listen 127.0.0.1:%%PORT_0%%; http2 on;
      location / { grpc_pass grpc://grpc_backend; grpc_set_header X-Real-IP $remote_addr; ${more} } } }`)
}

test('all kinds of calls', async (t) => {
  await using echo = await EchoServer.start()
  await using server = await start(echo.port)
  using client = new EchoClient(server.port())

  await t.test('one message each way, with metadata and trailers', async () => {
    const { bytes, error, head, tail } = await client.unary(Buffer.from('hello'), { 'x-real-ip': 'forged' })
    assert.equal(error, null)
    assert.equal(bytes?.toString(), 'hello')
    assert.deepEqual(head?.get('x-head'), ['node'])
    assert.deepEqual(tail?.get('x-tail'), ['5'])
    assert.deepEqual(echo.fields.at(-1), ['127.0.0.1'])
  })

  await t.test('a status that is an error', async () => {
    const { error, tail } = await client.unary(Buffer.from('x'), { 'x-fail': 'tired' })
    assert.deepEqual([error?.code, error?.details], [grpc.status.FAILED_PRECONDITION, 'not now'])
    assert.deepEqual(tail?.get('x-why'), ['tired'])
  })

  await t.test('20 MB', async () => {
    const message = Buffer.alloc(20_000_000, 'x')
    const { bytes, error } = await client.unary(message)
    assert.equal(error, null)
    assert.equal(bytes?.equals(message), true)
  })

  await t.test('a stream of responses', async () => {
    const messages: string[] = []
    for await (const bytes of client.serverStream(Buffer.from('1000'))) messages.push(String(bytes))
    assert.deepEqual([messages.length, messages[999]], [1000, 'message 999'])
  })

  await t.test('a stream of requests', async () => {
    const messages = Array.from({ length: 200 }, (_, i) => Buffer.alloc(i * 100))
    assert.equal(String(await client.clientStream(messages)), '1990000')
  })

  await t.test('a conversation, one word at a time', async () => {
    const call = client.both()
    for (const word of ['one', 'two', 'three']) {
      call.write(Buffer.from(word))
      const [answer] = await once(call, 'data')
      assert.equal(String(answer), word.toUpperCase())
    }
    call.end()
    await once(call, 'end')
  })

  await t.test('many calls at once share a connection', async () => {
    echo.peers.clear()
    const calls = Array.from({ length: 80 }, (_, i) => client.unary(Buffer.from(`call ${i}`)))
    const answers = await Promise.all(calls)
    assert.deepEqual(
      answers.map(({ bytes }) => String(bytes)),
      answers.map((_, i) => `call ${i}`),
    )
    assert.equal(echo.peers.size, 1)
  })
})

test('TLS on both sides, with a certificate of ours for the back end', async () => {
  const certificates = new Certificates()
  const ca = certificates.make('ca', { authority: true })
  const own = certificates.make('localhost', { issuer: ca, names: ['localhost'] })
  const shown = certificates.make('proxy', { issuer: ca })
  const pairs = [{ private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.cert) }]
  await using echo = await EchoServer.start(grpc.ServerCredentials.createSsl(Buffer.from(ca.cert), pairs, true))
  await using server = await startViaduct(`http { client_max_body_size 0;
    upstream grpc_backend { server 127.0.0.1:${echo.port}; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; http2 on;
      ssl_certificate ${own.certFile}; ssl_certificate_key ${own.keyFile};
      location / { grpc_pass grpcs://grpc_backend; grpc_ssl_name localhost;
        grpc_ssl_certificate ${shown.certFile}; grpc_ssl_certificate_key ${shown.keyFile};
        grpc_ssl_verify on; grpc_ssl_trusted_certificate ${ca.certFile}; } } }`)
  using client = new EchoClient(server.port(), ca.cert)
  const message = Buffer.alloc(2_000_000, 'z')
  const { bytes, error } = await client.unary(message)
  assert.equal(error, null)
  assert.equal(bytes?.equals(message), true)
  const call = client.both()
  call.write(Buffer.from('word'))
  assert.equal(String((await once(call, 'data'))[0]), 'WORD')
  call.end()
  await once(call, 'end')
  certificates.remove()
})

test('a deadline that passes ends the call at the back end too', async () => {
  await using echo = await EchoServer.start()
  await using server = await start(echo.port)
  using client = new EchoClient(server.port())
  const { error } = await client.unary(Buffer.from('x'), { 'x-hang': '1' }, 300)
  assert.equal(error?.code, grpc.status.DEADLINE_EXCEEDED)
  await echo.cancelled
})

test('a call that is cancelled ends at the back end too', async () => {
  await using echo = await EchoServer.start()
  await using server = await start(echo.port)
  using client = new EchoClient(server.port())
  const call = client.both()
  call.on('error', () => {})
  call.write(Buffer.from('hello'))
  await once(call, 'data')
  call.cancel()
  await echo.cancelled
  assert.equal(String((await client.unary(Buffer.from('still there'))).bytes), 'still there')
})

test('without a back end an error page answers with a status of gRPC', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; http2 on;
    location / { grpc_pass grpc://127.0.0.1:%%PORT_1%%; grpc_intercept_errors on; error_page 502 = /error502grpc; }
    location = /error502grpc { internal; default_type application/grpc;
      add_header grpc-status 14; add_header grpc-message "Backend unavailable"; return 204; } } }`)
  using client = new EchoClient(server.port())
  const { error } = await client.unary(Buffer.from('x'))
  assert.deepEqual([error?.code, error?.details], [grpc.status.UNAVAILABLE, 'Backend unavailable'])
})

test('clients of @grpc/grpc-js, a server in Python', async () => {
  await using echo = await BackEnd.grpc()
  await using server = await start(echo.port)
  using client = new EchoClient(server.port())
  const message = Buffer.alloc(20_000_000, 'y')
  const { bytes, head, tail } = await client.unary(message)
  assert.equal(bytes?.equals(message), true)
  assert.deepEqual([head?.get('x-head'), tail?.get('x-tail')], [['python'], ['20000000']])
  const call = client.both()
  call.write(Buffer.from('word'))
  assert.equal(String((await once(call, 'data'))[0]), 'WORD')
  call.end()
  await once(call, 'end')
  const { error } = await client.unary(Buffer.from('x'), { 'x-fail': 'tired' })
  assert.deepEqual([error?.code, error?.details], [grpc.status.FAILED_PRECONDITION, 'not now'])
})

test('a client in Python, servers of both kinds', async () => {
  await using node = await EchoServer.start()
  await using python = await BackEnd.grpc()
  for (const port of [node.port, python.port]) {
    await using server = await start(port)
    const { stdout } = await promisify(execFile)(PYTHON, ['-B', ECHO, 'call', String(server.port())])
    assert.deepEqual(stdout.trim().split('\n'), EXPECTED_BY_PYTHON)
  }
})
