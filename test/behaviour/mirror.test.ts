/** ngx_http_mirror_module and post_action: requests beside a request, which do not disturb it. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  log_format uri "$uri $status";
  access_log %%DIR%%/access.log uri;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    location / { mirror /copy; }
    location /two { mirror /copy/1; mirror /copy/2; mirror_request_body off; proxy_pass http://127.0.0.1:%%PORT_0%%/page; }
    location /static { mirror /copy; root %%DIR%%; }
    location /dead { mirror /nowhere; }
    location /slow { mirror /copy; }
    location /after { post_action /copy; return 200 out; }
    location /named { post_action @copy; return 200 out; }
    location /report { post_action /told; return 404 gone; }
    location /told {
      internal; proxy_pass http://127.0.0.1:%%PORT_1%%;
      proxy_set_header X-Of "$status $body_bytes_sent $request_completion";
    }
    location /copy { internal; proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_set_header X-Of $request_uri; }
    location @copy { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_set_header X-Of $request_uri; }
    location /nowhere { proxy_pass http://127.0.0.1:%%PORT_2%%; }
  }
}`

let server: Server
let backEnd: http.Server
let seen: string[] = []
let hold: ((go: () => void) => void) | undefined

before(async () => {
  server = await startViaduct(CONF, { files: { page: 'page', slow: 'slow', dead: 'alive', static: 'x' } })
  backEnd = http.createServer((request, response) => {
    let body = ''
    request.on('data', (bytes) => {
      body += bytes
    })
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${request.headers['x-of']} ${body}`)
      const go = () => response.end('COPY')
      if (hold === undefined) go()
      else hold(go)
    })
  })
  await new Promise<void>((resolve) => backEnd.listen(server.port(1), '127.0.0.1', resolve))
})
after(async () => {
  backEnd.closeAllConnections()
  backEnd.close()
  await server[Symbol.asyncDispose]()
})

async function text(target: string, init?: RequestInit): Promise<string> {
  seen = []
  return (await fetch(server.url(target), init)).text()
}

test('a copy goes elsewhere with method, body and arguments', async () => {
  assert.equal(await text('/page?a=b'), 'page')
  await server.until('the copy', () => seen.length === 1)
  assert.deepEqual(seen, ['GET /copy?a=b /page?a=b '])
  await text('/static', { method: 'POST', body: 'some body' })
  await server.until('the copy', () => seen.length === 1)
  assert.deepEqual(seen, ['POST /copy /static some body'])
})

test('several copies', async () => {
  assert.equal(await text('/two', { headers: { 'Content-Type': 'x' } }), 'page')
  await server.until('the copies', () => seen.length === 3)
  assert.deepEqual(seen.sort(), ['GET /copy /page ', 'GET /copy/1 /two ', 'GET /copy/2 /two '])
})

test('a copy that cannot be sent disturbs nobody', async () => {
  assert.equal(await text('/dead'), 'alive')
})

test('the response does not wait for the copy', async () => {
  const { promise, resolve } = Promise.withResolvers<() => void>()
  hold = resolve
  assert.equal(await text('/slow'), 'slow')
  const go = await promise
  hold = undefined
  go()
})

test('post_action visits another place when the response is out, which the log tells', async () => {
  assert.equal(await text('/after'), 'out')
  await server.until('the visit', () => seen.length === 1)
  assert.deepEqual(seen, ['GET /copy /after '])
  await server.until('the line', () => /^\/copy 200$/m.test(server.accessLog()))
  assert.doesNotMatch(server.accessLog(), /^\/after/m)
})

test('post_action can report how the request went', async () => {
  assert.equal(await text('/report'), 'gone')
  await server.until('the visit', () => seen.length === 1)
  assert.deepEqual(seen, ['GET /told 404 4 OK '])
})

test('post_action visits a named location', async () => {
  assert.equal(await text('/named?x'), 'out')
  await server.until('the visit', () => seen.length === 1)
  assert.deepEqual(seen, ['GET /named?x /named?x '])
})

test('a slow copy does not hold the next requests of the connection', async () => {
  seen = []
  const held: (() => void)[] = []
  hold = (go) => {
    held.push(go)
  }
  const before = server.accessLog().length
  {
    using client = await server.connect()
    for (let n = 1; n <= 3; n++) {
      client.write(`POST /page?${n} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nb${n}`)
      await server.until('the answer', () => client.received.split('</html>').length === n + 1)
      await server.until('the copy', () => held.length === n)
    }
    await server.until('the lines', () => server.accessLog().slice(before) === '/page 405\n'.repeat(3))
    client.write('GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(await client.rest(), /slow$/)
    await server.until('the last copy', () => held.length === 4)
  }
  hold = undefined
  for (const go of held) go()
  assert.deepEqual(seen.slice(0, 3), ['POST /copy?1 /page?1 b1', 'POST /copy?2 /page?2 b2', 'POST /copy?3 /page?3 b3'])
})

test('copies beyond a number are waited for', async () => {
  const held: (() => void)[] = []
  hold = (go) => {
    held.push(go)
  }
  using client = await server.connect()
  client.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20))
  await server.until('the copies', () => held.length === 17)
  const answers = () => client.received.split('\r\n\r\nslow').length - 1
  await server.until('the answers', () => answers() === 17)
  for (const go of held.splice(0)) go()
  await server.until('all answers', () => answers() === 20)
  hold = undefined
  for (const go of held) go()
})

test('an empty body in chunks has a length for the copy', async () => {
  await using peer = await Peer.start()
  await using proxy = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location /file { mirror /copy; alias %%DIR%%/nginx.conf; error_page 405 =200 /done; }
    location /done { return 200 done; }
    location /copy { internal; proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  await proxy.raw('POST /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
  await proxy.until('the copy has come', () => peer.requests.length > 0)
  assert.equal(peer.requests[0]!.field('content-length'), '0')
})
