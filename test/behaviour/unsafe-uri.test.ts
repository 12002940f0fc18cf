/** URIs that a back end, a page or a variable names: none leads out of the place that the configuration gave it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

test('X-Accel-Redirect', async (t) => {
  let accel = ''
  await using peer = await Peer.start(() => reply('', [`X-Accel-Redirect: ${accel}`]))
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/html;
    location / { proxy_pass http://127.0.0.1:${peer.port}; }
    location /files/ { internal; }
    location /args/ { internal; return 200 "$uri?$args"; }
    location /secret/ { internal; return 200 secret; }
    location @named { return 200 "named $uri"; } } }`,
    { files: { 'html/files/a#1 b.txt': 'hash', 'html/files/..x/y': 'dots', 'html-old/x': 'beside the root' } },
  )
  const cases: Record<string, string> = {
    '/files/a#1 b.txt': '200 hash',
    '/files/a%231%20b.txt': '200 hash',
    '/files/..x/y': '200 dots',
    '/args/a#b?c=d#e': '200 /args/a#b?c=d#e',
    '/args/%3f?c=%3f': '200 /args/??c=%3f',
    '/args//a/./b': '200 /args//a/./b?',
    '@named': '200 named /',
    '@named?x': '500',
    '@other': '500',
    '/files/../secret/x': '404',
    '/files/..': '404',
    '/..?x': '404',
    '/files/%2e%2e/secret/x': '404',
    '/files/..%2fsecret/x': '404',
    '/files%2f..%2fsecret/x': '404',
    '../secret/x': '404',
    '-old/x': '404',
    '?x': '404',
    '/files/a%00b': '404',
  }
  for (const [target, wanted] of Object.entries(cases)) {
    await t.test(target, async () => {
      accel = target
      const response = await fetch(server.url('/'))
      const text = await response.text()
      assert.equal(response.status === 200 ? `200 ${text}` : String(response.status), wanted)
    })
  }
  assert.match(server.errorLog(), /\[error\] .* unsafe URI "\/files\/\.\.\/secret\/x" was detected, client: /)
})

test('variables', async (t) => {
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/html; error_page 405 /pages/$arg_f;
    location /try/ { try_files /files/$arg_f =404; }
    location /last/ { try_files /nothing /files/$arg_f; }
    location /rewrite/ { rewrite ^ /files/$arg_f? last; }
    location /break/ { rewrite ^ /files/$arg_f? break; }
    location /error/ { error_page 403 /files/$arg_f; deny all; }
    location /index/ { index $arg_f; }
    location /own/ { try_files /files/../own/$arg_f =404; }
    location /files/ { internal; }
    location /secret/ { internal; } } }`,
    {
      files: {
        'html/files/f': 'file',
        'html/files/index/x': '',
        'html/index/f': 'file',
        'html/own/f': 'file',
        'html/secret/f': 'secret',
        'outside/f': 'secret',
      },
    },
  )
  for (const place of ['try', 'last', 'rewrite', 'break', 'error', 'index', 'own']) {
    await t.test(place, async () => {
      const good = await server.raw(`GET /${place}/?f=f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      assert.match(good, /\r\n\r\nfile$/)
      for (const name of ['../secret/f', '../../outside/f', 'x/../../secret/f']) {
        const bad = await server.raw(`GET /${place}/?f=${name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
        if (place !== 'own') assert.match(bad, /^HTTP\/1\.1 40[34] /)
      }
    })
  }
})

test('a named location needs a URI', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; error_page 400 @named;
    location @named { return 200 named; } } }`)
  assert.match(await server.raw('GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 500 /)
  assert.match(server.errorLog(), /empty URI in redirect to named location "@named"/)
})
