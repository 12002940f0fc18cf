/** A preflight answered by `if` in a server, as configurations found in the wild do it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http { add_header Access-Control-Allow-Origin '*' always; server { listen 127.0.0.1:%%PORT_0%%;
  if ($request_method = 'OPTIONS') {
    add_header 'Access-Control-Allow-Origin' 'preflight';
    add_header 'Access-Control-Max-Age' 1728000;
    add_header 'Content-Type' 'text/plain; charset=utf-8';
    add_header 'Content-Length' 0;
    return 204;
  }
  location / { return 200 "$request_method"; }
  location /aliased/ { alias %%DIR%%/; rewrite ^ /nginx.conf break; }
} }`

test('settings of an if in a server hold for its return alone', async () => {
  await using server = await startViaduct(CONF)
  const preflight = await fetch(server.url('/api'), { method: 'OPTIONS' })
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers.get('access-control-allow-origin'), 'preflight')
  assert.equal(preflight.headers.get('access-control-max-age'), '1728000')
  assert.equal(preflight.headers.get('content-type'), 'text/plain; charset=utf-8')
  const plain = await fetch(server.url('/api'))
  assert.equal(plain.headers.get('access-control-allow-origin'), '*')
  assert.equal(plain.headers.get('access-control-max-age'), null)
  assert.equal(await plain.text(), 'GET')
})

test('an alias has no file for a URI that was rewritten', async () => {
  await using server = await startViaduct(CONF, { alerts: true })
  assert.notEqual((await fetch(server.url('/aliased/x'))).status, 200)
  await server.logged(/"alias" cannot be used in location "\/aliased\/" where URI was rewritten/)
})
