/** HTTP/2 as clients see it: the same requests, locations and limits as over HTTP/1. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import net from 'node:net'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { CANCEL, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, rstStream } from '../../src/http/h2/wire/frames.ts'
import { H2Client, type RequestOptions, type Response } from '../harness/h2-client.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const BIG = 'x'.repeat(1_000_000)

const CONF = `http {
  log_format h2 '$request|$status|$body_bytes_sent|$http2|$request_length';
  access_log access.log h2;
  client_body_temp_path %%DIR%%;
  proxy_temp_path %%DIR%%;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    server_name localhost;
    root %%DIR%%;
    client_max_body_size 2m;
    error_page 404 /404.html;
    add_trailer X-Sum $body_bytes_sent;
    location = /fixed { return 200 "fixed\\n"; }
    location = /facts {
      return 200 "$request_method $request_uri $uri $args $host $http_host $server_protocol $scheme $http_cookie $cookie_b";
    }
    location = /nothing { return 204; }
    location = /drop { return 444; }
    location = /slow { limit_rate 20m; limit_rate_after 1; try_files /big.txt =404; }
    location = /redirect { return 302 /fixed; }
    location = /internal { rewrite ^ /fixed last; }
    location = /limited { client_max_body_size 10; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /hints { early_hints 1; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location = /page.html { gzip on; gzip_types text/plain; ssi on; }
    location = /part { return 200 "part"; }
    location /echo { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /stream { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /chunked { chunked_transfer_encoding on; proxy_http_version 1.1; proxy_pass_trailers on; proxy_pass http://127.0.0.1:%%PORT_1%%; }
  }
  server { listen 127.0.0.1:%%PORT_0%%; server_name off; http2 off; return 200 other; }
}`

const FILES = {
  'page.html': `${'page '.repeat(200)}<!--# include virtual="/part" -->`,
  'index.html': 'index\n',
  'big.txt': BIG,
  '404.html': 'not here\n',
}

/** A back end of HTTP/1 that tells what it was sent. */
function backEnd(port: number): Promise<net.Server> {
  const server = net.createServer((socket) => {
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
      const chunked = /transfer-encoding: chunked/i.test(text)
      if (chunked ? !text.endsWith('0\r\n\r\n') : text.length < end + 4 + length) return
      if (text.startsWith('GET /hints')) socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n')
      if (text.startsWith('GET /chunked')) {
        socket.end(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\nX-End: yes\r\n\r\n',
        )
      } else socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\nX-Up: yes\r\n\r\n${text}`)
    })
  })
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
}

/** A server with its back end, and a client that asks with one stream after the other. */
class Run {
  readonly server: Server
  readonly client: H2Client
  readonly #backend: net.Server
  #id = -1

  private constructor(server: Server, client: H2Client, backend: net.Server) {
    this.server = server
    this.client = client
    this.#backend = backend
  }

  static async start(): Promise<Run> {
    const server = await startViaduct(CONF, { files: FILES })
    const backend = await backEnd(server.prefix.port(1))
    return new Run(server, await H2Client.connect(server.prefix.port()), backend)
  }

  /** The number of the last stream. */
  get last(): number {
    return this.#id
  }

  /** The number of the next stream. */
  next(): number {
    this.#id += 2
    return this.#id
  }

  ask(path: string, options: RequestOptions = {}): Promise<Response> {
    const id = this.next()
    this.client.request(id, { path, ...options })
    return this.client.response(id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close()
    this.#backend.close()
    await this.server[Symbol.asyncDispose]()
  }
}

test('answers', async (t) => {
  await using run = await Run.start()
  await t.test('a file, a fixed text, an error page, a redirect', async () => {
    const index = await run.ask('/')
    assert.equal(index.status, 200)
    assert.equal(index.body, 'index\n')
    assert.equal(index.headers['content-length'], '6')
    assert.equal((await run.ask('/fixed')).body, 'fixed\n')
    assert.equal((await run.ask('/internal')).body, 'fixed\n')
    const missing = await run.ask('/missing')
    assert.equal(missing.status, 404)
    assert.equal(missing.body, 'not here\n')
    assert.match((await run.ask('/redirect')).headers.location!, /^http:\/\/localhost:\d+\/fixed$/)
  })

  await t.test('HEAD and 204 have no body', async () => {
    const head = await run.ask('/fixed', { method: 'HEAD' })
    assert.equal(head.body, '')
    assert.equal(head.headers['content-length'], '6')
    const nothing = await run.ask('/nothing')
    assert.equal(nothing.status, 204)
    assert.equal(nothing.headers['content-length'], undefined)
  })

  await t.test('variables and cookies', async () => {
    const fields = [
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
    ] as const
    const { body } = await run.ask('/facts?x=%20y', { fields })
    assert.equal(body, 'GET /facts?x=%20y /facts x=%20y localhost localhost HTTP/2.0 http a=1; b=2 2')
  })

  await t.test('a large file comes whole, in frames', async () => {
    const { body } = await run.ask('/big.txt')
    assert.equal(body.length, BIG.length)
    assert.equal((await run.ask('/slow')).body.length, BIG.length)
  })

  await t.test('early hints before the head', async () => {
    const { interim, status } = await run.ask('/hints')
    assert.deepEqual([interim, status], [[103], 200])
  })

  await t.test('ranges, subrequests and compression', async () => {
    const part = await run.ask('/big.txt', { fields: [['range', 'bytes=10-19']] })
    assert.deepEqual([part.status, part.body], [206, 'x'.repeat(10)])
    const page = await run.ask('/page.html', { fields: [['accept-encoding', 'gzip']] })
    assert.equal(page.headers['content-encoding'], 'gzip')
    const text = gunzipSync(Buffer.from(page.body, 'latin1')).toString()
    assert.equal(text, `${'page '.repeat(200)}part`)
  })

  await t.test('trailers behind the body', async () => {
    assert.deepEqual((await run.ask('/fixed')).trailers, { 'x-sum': '6' })
    const { trailers, body } = await run.ask('/chunked')
    assert.equal(body, 'hi')
    assert.equal(trailers?.['x-end'], 'yes')
  })
})

test('bodies of requests', async (t) => {
  await using run = await Run.start()
  const { client } = run
  await t.test('a body is passed to a back end of HTTP/1', async () => {
    const { body } = await run.ask('/echo', { method: 'POST', body: 'hello', fields: [['content-length', '5']] })
    assert.match(body, /^POST \/echo HTTP\/1\.[01]\r\n/)
    assert.match(body, /host: 127/i)
    assert.ok(body.endsWith('\r\n\r\nhello'))
    const unknown = await run.ask('/echo', { method: 'POST', body: 'hello' })
    assert.match(unknown.body, /content-length: 5/i)
    const streamed = await run.ask('/stream', { method: 'POST', body: 'hello' })
    assert.match(streamed.body, /transfer-encoding: chunked/i)
    assert.ok(streamed.body.endsWith('5\r\nhello\r\n0\r\n\r\n'))
  })

  await t.test('a body larger than the window is let in as it is taken', async () => {
    const mine = run.next()
    client.request(mine, { method: 'POST', path: '/echo', open: true, fields: [['content-length', '200000']] })
    await client.waitFor((frame) => frame.type === 8 && frame.stream === mine)
    for (let i = 0; i < 20; i++) client.data(mine, 'y'.repeat(10000), i === 19)
    const { status, body } = await client.response(mine)
    assert.equal(status, 200)
    assert.ok(body.endsWith('y'.repeat(200000)))
  })

  await t.test('a body that comes with its head counts on the window of its request', async () => {
    const text = 'z'.repeat(66000)
    const { status, body } = await run.ask('/echo', {
      method: 'POST',
      body: text,
      fields: [['content-length', '66000']],
    })
    assert.equal(status, 200)
    assert.ok(body.endsWith(text))
  })

  await t.test('a body that is too large is refused', async () => {
    const announced = await run.ask('/limited', { method: 'POST', open: true, fields: [['content-length', '11']] })
    assert.equal(announced.status, 413)
    const grown = await run.ask('/limited', { method: 'POST', body: 'x'.repeat(11) })
    assert.equal(grown.status, 413)
    // What the client was still to send is not wanted.
    assert.equal(await client.reset(run.last - 2), NO_ERROR)
  })

  await t.test('a length that does not fit the body', async () => {
    const short = await run.ask('/echo', { method: 'POST', body: 'abc', fields: [['content-length', '4']] })
    assert.equal(short.status, 400)
    const long = await run.ask('/echo', { method: 'POST', body: 'abcde', fields: [['content-length', '4']] })
    assert.equal(long.status, 400)
  })

  await t.test('100 (Continue)', async () => {
    const mine = run.next()
    client.request(mine, {
      method: 'POST',
      path: '/echo',
      open: true,
      fields: [
        ['expect', '100-continue'],
        ['content-length', '2'],
      ],
    })
    await client.waitFor((frame) => frame.stream === mine && frame.fields.some(([, value]) => value === '100'))
    client.data(mine, 'ok', true)
    const { interim, body } = await client.response(mine)
    assert.deepEqual(interim, [100])
    assert.ok(body.endsWith('ok'))
  })
})

test('streams, and what is told of them', async (t) => {
  await using run = await Run.start()
  const { client, server } = run
  await t.test('444 resets the stream', async () => {
    assert.equal((await run.ask('/drop')).reset, PROTOCOL_ERROR)
  })

  await t.test('a server without HTTP/2 is no server for this connection', async () => {
    assert.equal((await run.ask('/', { authority: 'off' })).status, 421)
  })

  await t.test('many streams at once are all answered', async () => {
    const ids: number[] = []
    for (let i = 0; i < 100; i++) {
      const id = run.next()
      ids.push(id)
      client.request(id, { path: i % 10 === 0 ? '/big.txt' : '/fixed' })
    }
    const answers = await Promise.all(ids.map((one) => client.response(one)))
    for (const [i, { body }] of answers.entries()) assert.equal(body.length, i % 10 === 0 ? BIG.length : 6)
  })

  await t.test('a client that takes a request back', async () => {
    const id = run.next()
    client.request(id, { method: 'POST', path: '/stream', open: true })
    client.write(rstStream(id, CANCEL))
    await client.settled()
    assert.equal((await run.ask('/fixed')).status, 200)
  })

  await t.test('HTTP/1.1 on the same port', async () => {
    assert.equal(await (await fetch(server.url('/fixed'))).text(), 'fixed\n')
  })

  await t.test('the log has lines as for HTTP/1', async () => {
    await run.ask('/fixed')
    const log = server.prefix.read('access.log').split('\n')
    assert.ok(
      log.some((line) => line.startsWith('GET /fixed HTTP/2.0|200|6|h2c|')),
      log.slice(0, 10).join('\n'),
    )
    assert.ok(log.some((line) => line.startsWith('GET /drop HTTP/2.0|444|')))
    assert.ok(log.some((line) => /^GET \/fixed HTTP\/1\.1\|200\|\d+\|\|/.test(line)))
  })
})

test('node:http2 as a client', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const session = http2.connect(server.url('/').slice(0, -1))
  const bodies = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const stream = session.request({ ':path': i % 2 === 0 ? '/big.txt' : '/fixed' })
      let size = 0
      for await (const piece of stream) size += (piece as Buffer).length
      return size
    }),
  )
  assert.deepEqual(new Set(bodies), new Set([BIG.length, 6]))
  session.close()
})

test('limits of streams and requests', async (t) => {
  const conf = `http {
    server { listen 127.0.0.1:%%PORT_0%%; http2 on; http2_max_concurrent_streams 2; location / { proxy_pass http://127.0.0.1:%%PORT_9%%; } }
    server { listen 127.0.0.1:%%PORT_1%%; http2 on; keepalive_requests 2; return 200 ok; }
    server { listen 127.0.0.1:%%PORT_2%%; http2 on; keepalive_timeout 100ms; lingering_timeout 100ms; return 200 ok; }
    server { listen 127.0.0.1:%%PORT_3%%; http2 on; client_header_timeout 100ms; lingering_timeout 100ms; return 200 ok; }
    server { listen 127.0.0.1:%%PORT_4%%; http2 on; client_body_timeout 100ms; location / { proxy_pass http://127.0.0.1:%%PORT_9%%; } }
  }`
  await using server = await startViaduct(conf)
  const silent = net.createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(server.prefix.port(9), '127.0.0.1', resolve))

  await t.test('a stream too many is refused', async () => {
    await using client = await H2Client.connect(server.prefix.port(0))
    for (const id of [1, 3, 5]) client.request(id)
    assert.equal(await client.reset(5), REFUSED_STREAM)
  })

  await t.test('the last request of a connection comes with GOAWAY', async () => {
    await using client = await H2Client.connect(server.prefix.port(1))
    client.request(1)
    assert.equal((await client.response(1)).status, 200)
    client.request(3)
    client.request(5)
    assert.equal((await client.response(3)).status, 200)
    assert.deepEqual(await client.goAway(), { last: 3, code: NO_ERROR })
    await client.closed()
    assert.equal(client.soFar(5).status, 0)
  })

  await t.test('an idle connection is told to go', async () => {
    await using client = await H2Client.connect(server.prefix.port(2))
    client.request(1)
    await client.response(1)
    assert.deepEqual(await client.goAway(), { last: 1, code: NO_ERROR })
    await client.closed()
  })

  await t.test('a head that is never completed', async () => {
    await using client = await H2Client.connect(server.prefix.port(3))
    client.frame(1, 0, 1, '\x82')
    assert.equal(await client.reset(1), 1)
  })

  await t.test('a body that is never completed', async () => {
    await using client = await H2Client.connect(server.prefix.port(4))
    client.request(1, { method: 'POST', open: true, fields: [['content-length', '5']] })
    assert.equal(await client.reset(1), 1)
  })
  silent.close()
})

test('a client that leaves the last stream open does not keep a server that was told to quit', async () => {
  const conf = `http { server { listen 127.0.0.1:%%PORT_0%%; http2 on; root %%DIR%%; } }`
  await using server = await startViaduct(conf, { files: { 'big.txt': BIG } })
  await using client = await H2Client.connect(server.prefix.port(), { greedy: false })
  client.request(1, { path: '/big.txt' })
  await client.waitFor((frame) => frame.type === 0)
  server.child.kill('SIGQUIT')
  await client.goAway()
  client.close()
  // The server looks whether it has forgotten somebody, and would log that.
  assert.equal((await server.ended).code, 0)
})

test('open streams end when the server is told to quit', async () => {
  const conf = `http { server { listen 127.0.0.1:%%PORT_0%%; http2 on; root %%DIR%%; lingering_timeout 100ms; } }`
  await using server = await startViaduct(conf, { files: { 'big.txt': BIG } })
  await using client = await H2Client.connect(server.prefix.port(), { greedy: false })
  client.request(1, { path: '/big.txt' })
  await client.waitFor((frame) => frame.type === 0)
  server.child.kill('SIGQUIT')
  assert.deepEqual(await client.goAway(), { last: 1, code: NO_ERROR })
  client.frame(8, 0, 0, '\x00\x20\x00\x00')
  client.frame(8, 0, 1, '\x00\x20\x00\x00')
  assert.equal((await client.response(1)).body.length, BIG.length)
  client.close()
  assert.equal((await server.ended).code, 0)
})
