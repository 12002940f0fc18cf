/** Request lines and methods on the way to the back end, and requests whose body or method the configuration replaces. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { H2Peer } from '../harness/h2-peer.ts'
import { Peer, type PeerRequest, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

async function sent(server: Server, peer: Peer, request: string): Promise<PeerRequest> {
  const count = peer.requests.length
  await server.raw(request.replace('\r\n', '\r\nHost: x\r\nConnection: close\r\n'))
  assert.equal(peer.requests.length, count + 1)
  return peer.requests.at(-1)!
}

test('request lines and methods', async (t) => {
  await using peer = await Peer.start()
  const pass = `proxy_pass http://127.0.0.1:${peer.port};`
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { ${pass} }
    location /old { ${pass} proxy_http_version 1.0; }
    location /method { ${pass} proxy_method PUT; }
    location /own { ${pass} proxy_set_body "[$request_method]"; }
    location /own-get { ${pass} proxy_method POST; proxy_set_body "a=1"; }
    location /no-body { ${pass} proxy_pass_request_body off; }
    location /no-length { ${pass} proxy_pass_request_body off; proxy_set_header Content-Length ""; } } }`)

  for (const method of [
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'DELETE',
    'OPTIONS',
    'PATCH',
    'PROPFIND',
    'M-SEARCH',
    'BREW_IT',
  ]) {
    await t.test(`${method} goes on as it is`, async () => {
      assert.equal((await sent(server, peer, `${method} /x HTTP/1.1\r\n\r\n`)).line, `${method} /x HTTP/1.1`)
    })
  }
  await t.test('the version is that of the configuration, not that of the client', async () => {
    assert.equal((await sent(server, peer, 'GET /x HTTP/1.0\r\n\r\n')).line, 'GET /x HTTP/1.1')
    assert.equal((await sent(server, peer, 'GET /old HTTP/1.1\r\n\r\n')).line, 'GET /old HTTP/1.0')
  })
  await t.test('bytes above 127 in the target stay', async () => {
    assert.equal((await sent(server, peer, 'GET /\xe4\xf6?\xfc HTTP/1.1\r\n\r\n')).line, 'GET /\xe4\xf6?\xfc HTTP/1.1')
  })
  await t.test('proxy_method', async () => {
    const request = await sent(server, peer, 'POST /method HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi')
    assert.equal(request.line, 'PUT /method HTTP/1.1')
    assert.equal(request.body, 'hi')
  })
  await t.test('proxy_set_body replaces what the client sends', async () => {
    const request = await sent(server, peer, 'POST /own HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello')
    assert.equal(request.body, '[POST]')
    assert.equal(request.field('content-length'), '6')
  })
  await t.test('proxy_set_body gives a body to a GET', async () => {
    const request = await sent(server, peer, 'GET /own-get HTTP/1.1\r\n\r\n')
    assert.equal(request.line, 'POST /own-get HTTP/1.1')
    assert.equal(request.body, 'a=1')
    assert.equal(request.field('content-length'), '3')
  })
  await t.test('proxy_pass_request_body off', async () => {
    const request = await sent(server, peer, 'POST /no-length HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello')
    assert.equal(request.body, '')
    assert.equal(request.field('content-length'), undefined)
  })
})

test('a target without a path has one for the back end', async () => {
  const line = /^.*$/m
  await using peer = await Peer.start(({ line: asked }) => reply(asked))
  await using h2 = await H2Peer.start((stream) => stream.reply(stream.path))
  await using server = await startViaduct(`http { log_format all '$request_uri $uri $args $request';
    access_log %%DIR%%/access.log all; resolver 127.0.0.1;
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass http://127.0.0.1:${peer.port}; } }
    server { listen 127.0.0.1:%%PORT_1%%; location / { proxy_http_version 2; proxy_pass http://127.0.0.1:${h2.port}; } }
    server { listen 127.0.0.1:%%PORT_2%%; location / { grpc_pass 127.0.0.1:${h2.port}; } }
    server { listen 127.0.0.1:%%PORT_3%%; location / { proxy_pass http://127.0.0.1:${peer.port}$request_uri; } }
    server { listen 127.0.0.1:%%PORT_4%%; location / { proxy_pass http://127.0.0.1:${peer.port}/sub/; } } }`)
  const ask = async (target: string, n: number): Promise<string> => {
    const answer = await server.raw(`GET http://x${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, n)
    return line.exec(answer.slice(answer.indexOf('\r\n\r\n') + 4))![0]
  }
  for (const [target, path] of [
    ['?a=b', '/?a=b'],
    ['?', '/'],
    ['?a=b%20/?c', '/?a=b%20/?c'],
    ['', '/'],
    ['/', '/'],
  ] as const) {
    assert.equal(await ask(target, 0), `GET ${path} HTTP/1.1`)
    assert.equal(await ask(target, 1), path)
    assert.equal(await ask(target, 2), path)
  }
  assert.equal(await ask('?a=b', 3), 'GET /?a=b HTTP/1.1')
  assert.equal(await ask('?a=b', 4), 'GET /sub/?a=b HTTP/1.1')
  await server.until('it is logged', () => server.accessLog() !== '')
  assert.equal(server.accessLog().split('\n')[0], '?a=b / a=b GET http://x?a=b HTTP/1.1')
})
