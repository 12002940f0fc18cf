/** ngx_http_auth_request_module: another location decides, and tells things about its answer. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  log_format who "$uri $status $who";
  access_log %%DIR%%/access.log who;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / {
      auth_request /auth;
      auth_request_set $who $upstream_http_x_who;
      auth_request_set $code $upstream_status;
      add_header X-Seen "$who $code";
      root %%DIR%%;
    }
    location /post { auth_request /auth; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /broken { auth_request /nothing; root %%DIR%%; }
    location /closing { auth_request /close; root %%DIR%%; }
    location /again { auth_request /again; root %%DIR%%; }
    location = /auth { internal; proxy_pass http://127.0.0.1:%%PORT_1%%/judge?$http_x_as; log_subrequest on; }
    location = /nothing { return 404; }
    location = /close { return 444; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    access_log off;
    location = /judge {
      if ($args = good) { add_header X-Who ann; return 204; }
      if ($args = unknown) { add_header WWW-Authenticate "Bearer realm=x" always; return 401; }
      if ($args = bad) { return 403; }
      return 502;
    }
    location = /post { add_header X-Body "$content_length $request_body"; proxy_pass http://127.0.0.1:%%PORT_1%%/done; }
    location = /done { return 200 done; }
  }
}`

let server: Server
before(async () => {
  server = await startViaduct(CONF, { files: { page: 'page', again: 'again' } })
})
after(() => server[Symbol.asyncDispose]())

function ask(path: string, as: string, init: RequestInit = {}): Promise<Response> {
  return fetch(server.url(path), { ...init, headers: { 'X-As': as } })
}

test('2xx lets in, and variables tell of the answer', async () => {
  const response = await ask('/page', 'good')
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('x-seen'), 'ann 204')
  assert.equal(await response.text(), 'page')
})

test('401 is passed on with its challenge', async () => {
  const response = await ask('/page', 'unknown')
  assert.equal(response.status, 401)
  assert.equal(response.headers.get('www-authenticate'), 'Bearer realm=x')
})

test('403 is passed on', async () => {
  assert.equal((await ask('/page', 'bad')).status, 403)
})

test('anything else is an error', async () => {
  assert.equal((await ask('/page', 'what')).status, 500)
  assert.equal((await fetch(server.url('/broken'))).status, 500)
  await server.logged(/auth request unexpected status: 502, client/)
  assert.match(server.errorLog(), /auth request unexpected status: 404, client: .*request: "GET \/broken/)
})

test('without any answer there is none to the request', async () => {
  assert.equal(await server.raw('GET /closing HTTP/1.1\r\nHost: x\r\n\r\n'), '')
})

test('a subrequest is not asked for authorization', async () => {
  const response = await fetch(server.url('/again'))
  assert.equal(response.status, 200)
})

test('the body of the request goes to the back end alone', async () => {
  const response = await ask('/post', 'good', { method: 'POST', body: '12345' })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('x-body'), '5 12345')
})

test('log_subrequest writes a line for the question too', async () => {
  await ask('/page', 'good').then((response) => response.text())
  await server.until('both lines', () => /^\/auth 204 .*\n\/page 200 ann$/m.test(server.accessLog()))
})

test('a client that leaves while the question is open is forgotten', async () => {
  const client = await server.connect()
  client.write('GET /page HTTP/1.1\r\nHost: x\r\nX-As: good\r\n\r\n')
  client.close()
  assert.equal((await ask('/page', 'good')).status, 200)
})
