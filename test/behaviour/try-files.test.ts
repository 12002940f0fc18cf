/** try_files: files, folders, fallbacks, aliases. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www;
  location / { try_files $uri $uri/ /fallback?$uri; }
  location /fallback { return 200 "fallback $args"; }
  location /folder { index i.txt; try_files $uri $uri/ =404; }
  location /named { try_files $uri @named; }
  location @named { return 200 "named $uri"; }
  location /code { try_files /none =418; }
  location /alias/ { alias %%DIR%%/www/; try_files $uri $uri.txt =404; }
  location ~ ^/regex/(.*)$ { alias %%DIR%%/www/; try_files $1 $1.txt =404; }
} }`

test('the first file that exists is served', async () => {
  await using server = await startViaduct(CONF, {
    files: { 'www/a.txt': 'file a', 'www/folder/i.txt': 'index', 'www/b.txt': 'file b' },
  })
  const get = async (target: string): Promise<string> => {
    const response = await fetch(server.url(target), { redirect: 'manual' })
    const text = await response.text()
    return response.status === 200 ? text : String(response.status)
  }
  assert.equal(await get('/a.txt'), 'file a')
  assert.equal(await get('/x/y?z'), 'fallback /x/y')
  assert.equal(await get('/folder/'), 'index')
  assert.equal(await get('/folder/none'), '404')
  assert.equal(await get('/named/x'), 'named /named/x')
  assert.equal(await get('/code'), '418')
  assert.equal(await get('/alias/a.txt'), 'file a')
  assert.equal(await get('/alias/b'), 'file b')
  assert.equal(await get('/regex/a.txt'), 'file a')
  assert.equal(await get('/regex/b'), 'file b')
  assert.equal(await get('/regex/c'), '404')
})
