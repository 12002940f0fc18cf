/** internal_redirect: behind access rules, to URIs and named locations, once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location /named { internal_redirect @target; return 200 never; }
    location /uri { internal_redirect /other?a=b; }
    location /other { internal; return 200 "other $args"; }
    location /variable { internal_redirect $arg_to; root %%DIR%%; }
    location /denied { deny all; internal_redirect @named; }
    location /cycle { internal_redirect /cycle2; }
    location /cycle2 { internal_redirect /cycle; }
    location /plain { internal_redirect @named; }
    location /none { internal_redirect @missing; }
    location @named { internal; error_page 418 = @last; return 200 "named $uri"; }
    location @target { return 200 target; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    internal_redirect @all;
    location / { root %%DIR%%; }
    location @all { root %%DIR%%; try_files /all.txt =404; }
  }
}`

test('requests go on elsewhere', async () => {
  await using server = await startViaduct(CONF, { files: { 'all.txt': 'all', variable: 'file' } })
  const ask = async (path: string, n = 0) => {
    const response = await fetch(server.url(path, n))
    return `${response.status} ${await response.text()}`
  }
  assert.equal(await ask('/plain/x'), '200 named /plain/x')
  assert.equal(await ask('/uri'), '200 other a=b')
  assert.equal(await ask('/variable?to=/other'), '200 other ')
  assert.equal(await ask('/variable'), '200 file')
  assert.match(await ask('/variable?to=/../x'), /^500 /)
  assert.match(await ask('/denied'), /^403 /)
  assert.match(await ask('/cycle'), /^500 /)
  assert.match(await ask('/none'), /^500 /)
  // Rewrite rules come before.
  assert.equal(await ask('/named'), '200 never')
  assert.equal(await ask('/anything', 1), '200 all')
})
