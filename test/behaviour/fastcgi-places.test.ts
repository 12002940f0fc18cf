/** fastcgi_pass, uwsgi_pass and scgi_pass wherever requests come from: subrequests, error pages, names, HTTP/2, groups. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { CgiPeer } from '../harness/cgi-peer.ts'
import { answer, FastcgiPeer } from '../harness/fastcgi-peer.ts'
import { H2Client } from '../harness/h2-client.ts'
import { freePorts } from '../harness/ports.ts'
import { startViaduct } from '../harness/server.ts'

const page = (text: string) => answer(`Content-Type: text/html\r\n\r\n${text}`)

test('subrequests of SSI, auth_request and mirror, error pages and named locations', async () => {
  await using peer = await FastcgiPeer.start(({ params }) => {
    const uri = params.get('URI')!
    if (uri === '/auth') return answer(`Status: ${params.get('HTTP_X_KEY') === 'yes' ? 204 : 401}\r\n\r\n`)
    if (uri === '/page') return page('[<!--# include virtual="/part?a=b" -->]')
    if (uri === '/fails') return answer('Status: 500\r\n\r\nno')
    if (uri === '/accel') return answer('X-Accel-Redirect: /inside?x=y\r\nSet-Cookie: a=b\r\n\r\n')
    return page(`${uri} ${params.get('Q')} ${params.get('METHOD')}`)
  })
  const params = 'fastcgi_param URI $uri; fastcgi_param Q $query_string; fastcgi_param METHOD $request_method;'
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; ${params}
    set $app 127.0.0.1:${peer.port};
    location / { fastcgi_pass $app; }
    location /page { ssi on; fastcgi_pass 127.0.0.1:${peer.port}; }
    location = /auth { internal; fastcgi_pass_request_body off; fastcgi_pass 127.0.0.1:${peer.port}; }
    location /secret { auth_request /auth; mirror /copy; fastcgi_pass $app; }
    location /copy { internal; fastcgi_pass $app; }
    location /fails { fastcgi_intercept_errors on; error_page 500 = @spare; fastcgi_pass $app; }
    location @spare { fastcgi_pass $app; fastcgi_param URI spare; fastcgi_param Q ""; fastcgi_param METHOD ""; }
    location /tried { try_files /none @spare; }
    location /inside { internal; fastcgi_pass $app; }
    location /if { if ($arg_if) { fastcgi_pass $app; } } } }`)
  const text = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(server.url(path), { headers })
    return `${response.status} ${await response.text()}`
  }
  assert.equal(await text('/page'), '200 [/part a=b GET]')
  assert.equal(await text('/secret'), '401 '.concat(await (await fetch(server.url('/secret'))).text()))
  assert.equal(await text('/secret/x?q', { 'X-Key': 'yes' }), '200 /secret/x q GET')
  await peer.until(() => peer.requests.some(({ params: one }) => one.get('URI') === '/copy'))
  assert.equal(await text('/fails'), '200 spare  ')
  assert.equal(await text('/tried'), '200 spare  ')
  assert.equal(await text('/if?if=1'), '200 /if if=1 GET')
  const accel = await fetch(server.url('/accel'), { method: 'POST', body: 'x' })
  assert.equal(await accel.text(), '/inside x=y GET')
  assert.equal(accel.headers.get('set-cookie'), 'a=b')
})

test('clients of HTTP/2, with bodies of known and unknown length', async () => {
  await using fastcgi = await FastcgiPeer.start(({ body, params }) => page(`${params.get('CONTENT_LENGTH')} ${body}`))
  await using uwsgi = await CgiPeer.uwsgi(({ body, params }) => `\r\n${params.get('CONTENT_LENGTH')} ${body}`)
  await using scgi = await CgiPeer.scgi(({ body, params }) => `\r\n${params.get('CONTENT_LENGTH')} ${body}`)
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; http2 on;
    location /fastcgi { fastcgi_pass 127.0.0.1:${fastcgi.port}; include fastcgi_params; fastcgi_request_buffering off; }
    location /uwsgi { uwsgi_pass 127.0.0.1:${uwsgi.port}; include uwsgi_params; uwsgi_request_buffering off; }
    location /scgi { scgi_pass 127.0.0.1:${scgi.port}; include scgi_params; scgi_request_buffering off; } } }`)
  await using client = await H2Client.connect(server.port())
  let stream = 1
  for (const path of ['/fastcgi', '/uwsgi', '/scgi']) {
    for (const fields of [[['content-length', '5']], []] as const) {
      client.request(stream, { method: 'POST', path, fields, body: 'hello' })
      assert.equal((await client.response(stream)).body, '5 hello', path)
      stream += 2
    }
  }
})

test('a group asks the next server, and waits in a queue', async () => {
  const [dead] = await freePorts(1)
  await using bad = await FastcgiPeer.start(() => answer('Status: 503\r\n\r\n'))
  await using good = await FastcgiPeer.start(
    ({ socket }) => void setTimeout(() => socket.end(page('good'), 'latin1'), 50),
  )
  await using server = await startViaduct(`http {
    upstream app { server 127.0.0.1:${dead}; server 127.0.0.1:${bad.port}; server 127.0.0.1:${good.port}; }
    upstream queued { zone queued 64k; queue 10 timeout=5s; server 127.0.0.1:${good.port} max_conns=1; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { fastcgi_pass app; fastcgi_next_upstream error http_503; }
      location /queued { fastcgi_pass queued; } } }`)
  for (let i = 0; i < 3; i++) assert.equal(await (await fetch(server.url('/'))).text(), 'good')
  const texts = await Promise.all([1, 2, 3].map(async () => (await fetch(server.url('/queued'))).text()))
  assert.deepEqual(texts, ['good', 'good', 'good'])
})

test('a copy is stored', async () => {
  await using peer = await FastcgiPeer.start(() => page('kept'))
  await using server = await startViaduct(`user root; http { server { listen 127.0.0.1:%%PORT_0%%;
    location /store { root %%DIR%%; fastcgi_store on; fastcgi_pass 127.0.0.1:${peer.port}; } } }`)
  assert.equal(await (await fetch(server.url('/store/a.html'))).text(), 'kept')
  assert.equal(fs.readFileSync(`${server.dir}/store/a.html`, 'utf8'), 'kept')
})

test('who may not use a socket learns whose it is', { skip: process.getuid!() !== 0 }, async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { fastcgi_pass unix:%%DIR%%/app.sock; } location /proxy { proxy_pass http://unix:%%DIR%%/app.sock; } } }`)
  const socket = `${server.dir}/app.sock`
  const listener = net.createServer().listen(socket)
  await new Promise((resolve) => listener.once('listening', resolve))
  fs.chmodSync(socket, 0o660)
  for (const path of ['/', '/proxy']) {
    assert.equal((await fetch(server.url(path))).status, 502)
    await server.logged(
      /\(13: Permission denied\) while connecting to upstream \(the socket belongs to root:root and has mode 660, this process runs as nobody:\w+\), client/,
    )
  }
  listener.close()
})

test('an empty body of HTTP/2 ends when the client ends it', async () => {
  await using peer = await FastcgiPeer.start()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; http2 on;
    location / { fastcgi_pass 127.0.0.1:${peer.port}; fastcgi_request_buffering off; } } }`)
  await using client = await H2Client.connect(server.port())
  client.request(1, { method: 'POST', fields: [['content-length', '0']], open: true })
  await peer.until(() => peer.records.includes('4:0'))
  assert.deepEqual(
    peer.records.filter((one) => one.startsWith('5:')),
    [],
  )
  client.data(1, '', true)
  assert.equal((await client.response(1)).status, 200)
  assert.deepEqual(
    peer.records.filter((one) => one.startsWith('5:')),
    ['5:0'],
  )
})
