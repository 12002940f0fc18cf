/** Answers of FastCGI, uwsgi, SCGI, memcached and gRPC at their edges, and what is said of them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { CgiPeer } from '../harness/cgi-peer.ts'
import { answer, END_OF_REQUEST, FastcgiPeer, record, STDOUT } from '../harness/fastcgi-peer.ts'
import { startViaduct } from '../harness/server.ts'

test('messages name the server of a gateway without a URI, and a socket with a colon behind it', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location /tcp { fastcgi_pass 127.0.0.1:%%PORT_1%%; } location /unix { fastcgi_pass unix:%%DIR%%/none.sock; }
    location /scgi { scgi_pass 127.0.0.1:%%PORT_1%%; } location /uwsgi { uwsgi_pass 127.0.0.1:%%PORT_1%%; }
    location /grpc { grpc_pass 127.0.0.1:%%PORT_1%%; } location /proxy { proxy_pass http://unix:%%DIR%%/none.sock; } } }`)
  const port = server.port(1)
  for (const [path, asked] of [
    ['/tcp', `fastcgi://127.0.0.1:${port}`],
    ['/unix', `fastcgi://unix:${server.dir}/none.sock:`],
    ['/scgi', `scgi://127.0.0.1:${port}`],
    ['/uwsgi', `uwsgi://127.0.0.1:${port}`],
    ['/grpc', `grpc://127.0.0.1:${port}`],
    ['/proxy', `http://unix:${server.dir}/none.sock:/proxy`],
  ]) {
    assert.equal((await fetch(server.url(path!))).status, 502)
    const line = `request: "GET ${path} HTTP/1.1", upstream: "${asked}", host:`
    await server.until(line, () => server.errorLog().includes(line))
  }
})

test('an answer of FastCGI may end within END_REQUEST, and not within its body', async () => {
  const whole = record(STDOUT, 'A: b\r\n\r\nbody') + END_OF_REQUEST
  const cuts: Record<string, number> = { '/end': -4, '/head': -10, '/body': -22 }
  await using peer = await FastcgiPeer.start(({ params, socket }) => {
    socket.end(whole.slice(0, cuts[params.get('URI')!]), 'latin1')
    return undefined
  })
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { fastcgi_pass 127.0.0.1:${peer.port}; fastcgi_param URI $uri; } } }`)
  for (const path of ['/end', '/head']) assert.equal(await (await fetch(server.url(path))).text(), 'body')
  await assert.rejects(async () => (await fetch(server.url('/body'))).text())
})

test('the type of a 204 goes on with its status line, over HTTP/1', async () => {
  await using peer = await FastcgiPeer.start(() => answer('Status: 204 Nothing\r\nContent-Type: text/x\r\n\r\n'))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { fastcgi_pass 127.0.0.1:${peer.port}; } location /own { default_type text/y; return 204; } } }`)
  const passed = await fetch(server.url('/'))
  assert.deepEqual([passed.status, passed.statusText, passed.headers.get('content-type')], [204, 'Nothing', 'text/x'])
  assert.equal((await fetch(server.url('/own'))).headers.get('content-type'), null)
})

test('fields that stand twice are told of also when a page takes the place of the answer', async () => {
  await using peer = await FastcgiPeer.start(() => answer('Status: 404 A\r\nStatus: 403 B\r\n\r\nnone'))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; fastcgi_intercept_errors on;
    error_page 404 = /page; location = /page { return 200 page; }
    location / { fastcgi_pass 127.0.0.1:${peer.port}; } } }`)
  assert.equal(await (await fetch(server.url('/'))).text(), 'page')
  const line = 'upstream sent duplicate header line: "Status: 403 B", previous value: "Status: 404 A", ignored'
  await server.until(line, () => server.errorLog().includes(line))
})

test('what was sent to a back end is logged also of a request that needs no body of a response that is kept', async () => {
  await using peer = await FastcgiPeer.start(() => answer('ETag: "a"\r\n\r\nbody'))
  await using server = await startViaduct(`user root; http { fastcgi_cache_path %%DIR%%/cache keys_zone=c:1m;
    log_format sent '$status $upstream_bytes_sent $upstream_cache_status'; access_log %%DIR%%/access.log sent;
    upstream app { server 127.0.0.1:${peer.port}; keepalive 1; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { fastcgi_pass app; fastcgi_keep_conn on; fastcgi_cache c;
      fastcgi_cache_key $request_uri; fastcgi_cache_valid 1h; fastcgi_pass_request_headers off; fastcgi_param URI $uri; } } }`)
  const ask = async (path: string): Promise<number> =>
    (await fetch(server.url(path), { headers: { 'If-None-Match': '*' } })).status
  for (const path of ['/a', '/b', '/c']) assert.equal(await ask(path), 304)
  await server.until('three lines', () => server.accessLog().split('\n').length === 4)
  const sent = server.accessLog().trim().split('\n')
  assert.deepEqual(new Set(sent).size, 1, server.accessLog())
  assert.match(sent[0]!, /^304 [1-9]\d+ MISS$/)
})

for (const way of ['uwsgi', 'scgi'] as const) {
  test(`${way}: interim answers come before the one that counts, up to a limit`, async () => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
    const last = 'HTTP/1.1 201 Made\r\nA: b\r\n\r\nbody'
    const answers: Record<string, string> = {
      '/one': hints + last,
      '/two': `HTTP/1.1 100 Continue\r\n\r\n${hints}${last}`,
      '/many': 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(101) + last,
    }
    await using peer = await CgiPeer[way](({ params }) => answers[params.get('URI')!]!)
    await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; early_hints $arg_h;
      location / { ${way}_pass 127.0.0.1:${peer.port}; ${way}_param URI $uri; ${way}_param CONTENT_LENGTH ""; } } }`)
    for (const path of ['/one', '/two']) {
      const response = await fetch(server.url(path))
      assert.deepEqual([response.status, response.headers.get('a'), await response.text()], [201, 'b', 'body'])
    }
    assert.equal((await fetch(server.url('/many'))).status, 502)
    await server.until('the limit', () => server.errorLog().includes('upstream sent too many interim responses'))
    const socket = net.connect(server.port(), '127.0.0.1')
    let text = ''
    socket.on('data', (bytes) => (text += bytes.toString()))
    socket.write('GET /one?h=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await once(socket, 'close')
    assert.match(text, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 201 Made\r\n/)
  })
}

test('what is wrong with the line of a value is said as nginx says it', async () => {
  const lines: Record<string, string> = {
    'VALUE k 0 2 77': 'memcached sent invalid length in response "VALUE k 0 2 77" for key "k"',
    'VALUE k  0 2': 'memcached sent invalid flags in response "VALUE k  0 2" for key "k"',
    'VALUE k 99999999999999999999 2':
      'memcached sent invalid flags in response "VALUE k 99999999999999999999 2" for key "k"',
    'VALUE k 0': 'memcached sent invalid response: "VALUE k 0"',
  }
  const all = Object.keys(lines)
  let asked = 0
  const peer = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write(`${all[asked++]}\r\nok\r\nEND\r\n`))
  })
  await once(peer.listen(0, '127.0.0.1'), 'listening')
  try {
    await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
      location / { set $memcached_key k; memcached_gzip_flag 2;
        memcached_pass 127.0.0.1:${(peer.address() as net.AddressInfo).port}; } } }`)
    for (const problem of Object.values(lines)) {
      assert.equal((await fetch(server.url('/'))).status, 502)
      await server.until(problem, () => server.errorLog().includes(problem))
    }
  } finally {
    peer.close()
  }
})
