/** Bodies that nobody wants are checked all the same, and nothing waits for what cannot come. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DATA, END_HEADERS, END_STREAM, frameHead, HEADERS, PROTOCOL_ERROR } from '../../src/http/h2/wire/frames.ts'
import { blockOf, H2Client, requestFields } from '../harness/h2-client.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const CONF = (port: number) => `
http {
  client_max_body_size 100; client_body_timeout 60s; lingering_timeout 60s; lingering_time 60s;
  proxy_http_version 1.1;
  server {
    listen 127.0.0.1:%%PORT_0%%; http2 on;
    location /static.txt { root %%DIR%%; }
    location /slow.txt { root %%DIR%%; limit_rate 1k; }
    location /return { return 200 ok; }
    location /redirect { return 302 /x; }
    location /missing { root %%DIR%%; }
    location /inside { rewrite ^ /static.txt; }
    location /asked { auth_request /question; root %%DIR%%; try_files /static.txt =404; }
    location = /question { internal; proxy_pass_request_body off; proxy_pass http://127.0.0.1:${port}; }
    location /off { proxy_pass_request_body off; proxy_pass http://127.0.0.1:${port}; }
    location /memcached { set $memcached_key k; memcached_pass 127.0.0.1:${port}; }
    location @back { proxy_pass http://127.0.0.1:${port}; }
    location /back { proxy_pass http://127.0.0.1:${port}; }
    location /small { client_max_body_size 10; error_page 413 = @back; root %%DIR%%; }
  }
}`
const FILES = { 'static.txt': 'static', 'slow.txt': 'x'.repeat(1500) }

const post = (path: string, framing: string, body = '') =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${body}`
const get = (path: string, framing: string, body = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${body}`
const CHUNKED = 'Transfer-Encoding: chunked'
const NEXT = 'GET /return HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** memcached has the last request, which goes without its body. */
function isAsked(peer: Peer): boolean {
  return peer.received.at(-1) === 'get k\r\n'
}

function statuses(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]!)
}

test('a broken chunk that came with the head', async (t) => {
  await using peer = await Peer.start(() => reply('back'))
  await using server = await startViaduct(CONF(peer.port), { files: FILES })
  const cases: readonly (readonly [path: string, status: string])[] = [
    ['/static.txt', '400'],
    ['/return', '400'],
    ['/redirect', '400'],
    ['/inside', '400'],
    ['/asked', '400'],
    ['/off', '400'],
    // As in nginx an error stays what it is, and the connection ends.
    ['/missing', '404'],
  ]
  for (const [path, status] of cases) {
    await t.test(path, async () => {
      assert.deepEqual(statuses(await server.raw(get(path, CHUNKED, 'x\r\n') + NEXT)), [status])
      assert.deepEqual(statuses(await server.raw(get(path, CHUNKED, '3\r\nabcd\r\n') + NEXT)), [status], 'in its end')
    })
  }
})

test('a broken chunk that comes later', async (t) => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(CONF(peer.port), { files: FILES })
  await t.test('while the answer is sent: it ends the connection', async () => {
    using client = await server.connect()
    client.write(get('/slow.txt', CHUNKED, '3\r\nabc'))
    await client.until(/\r\n\r\nx/)
    client.write('\r\nx\r\n' + NEXT)
    assert.deepEqual(statuses(await client.rest()), ['200'])
  })
  await t.test('behind the answer: it ends the connection', async () => {
    using client = await server.connect()
    client.write(get('/return', CHUNKED, '3\r\nabc'))
    await client.until(/ok$/)
    client.write('\r\nx\r\n' + NEXT)
    assert.deepEqual(statuses(await client.rest()), ['200'])
  })
  await t.test('before the answer of a back end: 400', async () => {
    using client = await server.connect()
    client.write(get('/memcached', CHUNKED, '3\r\nabc'))
    await peer.until(() => isAsked(peer))
    client.write('\r\nx\r\n' + NEXT)
    assert.deepEqual(statuses(await client.rest()), ['400'])
  })
})

test('what follows a sound body is served', async (t) => {
  await using peer = await Peer.start(() => reply('back'))
  await using server = await startViaduct(CONF(peer.port), { files: FILES })
  for (const path of ['/static.txt', '/return', '/redirect', '/inside', '/asked', '/missing']) {
    for (const [framing, body] of [
      [CHUNKED, '3\r\nabc\r\n0\r\n\r\n'],
      ['Content-Length: 3', 'abc'],
    ] as const) {
      await t.test(`${path} ${framing}`, async () => {
        const whole = statuses(await server.raw(get(path, framing, body) + NEXT))
        assert.equal(whole.length, 2)
        using client = await server.connect()
        client.write(get(path, framing, body.slice(0, 2)))
        await client.until(/HTTP/)
        client.write(body.slice(2) + NEXT)
        assert.deepEqual(statuses(await client.rest()), whole)
      })
    }
  }
  await t.test('the page of a body that is announced too large does not wait for it', async () => {
    const text = await server.raw(post('/small', 'Content-Length: 30\r\nConnection: close', 'abc'))
    assert.match(text, /back$/)
    assert.equal(peer.requests.at(-1)!.body, '')
  })
})

test('a discarded chunked body has a limit', async (t) => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(CONF(peer.port), { files: FILES })
  const large = `65\r\n${'x'.repeat(101)}\r\n0\r\n\r\n`
  await t.test('that came with the head', async () => {
    assert.deepEqual(statuses(await server.raw(get('/static.txt', CHUNKED, large) + NEXT)), ['413'])
  })
  await t.test('before the answer', async () => {
    using client = await server.connect()
    client.write(get('/memcached', CHUNKED))
    await peer.until(() => isAsked(peer))
    client.write(large)
    assert.deepEqual(statuses(await client.rest()), ['413'])
  })
  await t.test('behind the answer', async () => {
    using client = await server.connect()
    client.write(get('/return', CHUNKED))
    await client.until(/ok$/)
    client.write(large + NEXT)
    assert.deepEqual(statuses(await client.rest()), ['200'])
  })
})

test('HTTP/2: lengths, and the limit', async (t) => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(CONF(peer.port), { files: FILES })
  const head = (path: string, length: number) => {
    const fields = length < 0 ? [] : [['content-length', String(length)] as const]
    const block = blockOf(requestFields({ path, fields }))
    return frameHead(block.length, HEADERS, END_HEADERS, 1) + block
  }
  const data = (body: string, flags = END_STREAM) => frameHead(body.length, DATA, flags, 1) + body
  for (const path of ['/static.txt', '/return', '/redirect', '/inside', '/off', '/back']) {
    for (const [what, frames, status] of [
      ['too long', head(path, 2) + data('abc'), 400],
      ['too short', head(path, 4) + data('abc'), 400],
      ['too large', head(path, -1) + data('x'.repeat(101)), 413],
    ] as const) {
      await t.test(`${path}, ${what}`, async () => {
        await using client = await H2Client.connect(server.port())
        client.write(frames)
        assert.equal((await client.response(1)).status, status)
      })
    }
  }
  await t.test('while a back end works', async () => {
    await using client = await H2Client.connect(server.port())
    const before = peer.sockets.length
    client.write(head('/memcached', 4))
    await peer.until(() => peer.sockets.length > before && isAsked(peer))
    client.write(data('abc'))
    assert.equal((await client.response(1)).status, 400)
  })
  await t.test('while the answer is sent', async () => {
    await using client = await H2Client.connect(server.port())
    client.write(head('/slow.txt', 4))
    await client.waitFor((frame) => frame.type === HEADERS)
    client.write(data('abc'))
    assert.equal(await client.reset(1), PROTOCOL_ERROR)
  })
})
