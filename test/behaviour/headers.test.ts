/** add_header, add_trailer and expires: what is added to which responses, and how levels inherit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http {
  add_header X-Http http;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    add_header X-Server $uri;
    location /inherit/ { alias %%DIR%%/; }
    location /own/ { alias %%DIR%%/; add_header X-Own own; add_header X-Empty ""; }
    location /merge/ { alias %%DIR%%/; add_header_inherit merge; add_header X-Own own; }
    location /off/ { alias %%DIR%%/; add_header_inherit off; }
    location /always/ { alias %%DIR%%/; add_header X-Always yes always; add_header X-Safe yes; }
    location /etag/ { alias %%DIR%%/; add_header ETag '"mine"'; add_header Last-Modified ""; }
    location /trailer/ { alias %%DIR%%/; add_trailer X-Trailer $status; }
    location /max/ { alias %%DIR%%/; expires max; }
    location /past/ { alias %%DIR%%/; expires -1; add_header Cache-Control must-revalidate; }
    location /modified/ { alias %%DIR%%/; expires modified 10s; }
    location /text/ { alias %%DIR%%/; expires $arg_e; }
  }
}`

test('fields follow add_header_inherit and the status', async () => {
  await using server = await startViaduct(CONF, { files: { a: 'A' } })
  const own = async (uri: string) => {
    const { headers } = await fetch(server.url(uri))
    return [...headers].filter(([name]) => name.startsWith('x-')).map(([name, value]) => `${name}: ${value}`)
  }
  assert.deepEqual(await own('/inherit/a'), ['x-server: /inherit/a'])
  assert.deepEqual(await own('/own/a'), ['x-own: own'])
  assert.deepEqual(await own('/merge/a'), ['x-own: own', 'x-server: /merge/a'])
  assert.deepEqual(await own('/off/a'), [])
  assert.deepEqual(await own('/always/missing'), ['x-always: yes'])
  const { headers } = await fetch(server.url('/etag/a'))
  assert.equal(headers.get('etag'), '"mine"')
  assert.equal(headers.get('last-modified'), null)
})

test('trailers follow a body in chunks', async () => {
  await using server = await startViaduct(CONF, { files: { a: 'A' } })
  const answer = await server.raw('GET /trailer/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  assert.match(answer, /\r\nTransfer-Encoding: chunked\r\n/)
  assert.doesNotMatch(answer, /Content-Length/)
  assert.ok(answer.endsWith('\r\n\r\n1\r\nA\r\n0\r\nX-Trailer: 200\r\n\r\n'))
  const old = await server.raw('GET /trailer/a HTTP/1.0\r\n\r\n')
  assert.match(old, /Content-Length: 1\r\n/)
})

test('expires sets Expires and Cache-Control', async () => {
  await using server = await startViaduct(CONF, { files: { a: 'A' } })
  const cache = async (uri: string) => {
    const { headers } = await fetch(server.url(uri))
    const field = (name: string) => headers.get(name) ?? ''
    const seconds = (Date.parse(field('expires')) - Date.parse(field('last-modified'))) / 1000
    return { expires: field('expires'), control: field('cache-control'), seconds }
  }
  assert.deepEqual(await cache('/max/a').then(({ control }) => control), 'max-age=315360000')
  assert.equal((await cache('/past/a')).control, 'no-cache, must-revalidate')
  assert.equal((await cache('/modified/a')).seconds, 10)
  assert.equal((await cache('/text/a?e=epoch')).expires, 'Thu, 01 Jan 1970 00:00:01 GMT')
  assert.equal((await cache('/text/a?e=1d')).control, 'max-age=86400')
  assert.equal((await cache('/text/a?e=off')).control, '')
  assert.equal((await cache('/text/a?e=nonsense')).control, '')
})
