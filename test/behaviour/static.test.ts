/** Static files: what is sent for files, folders and what is neither, and how files that change are noticed. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
} from 'node:fs'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http {
  types { text/html html; image/png png; }
  default_type application/octet-stream;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%/www;
    location /alias/ { alias %%DIR%%/www/dir/; }
    location /cached/ { alias %%DIR%%/www/; open_file_cache max=10 inactive=1h; open_file_cache_valid 1h; }
    location /links/ { disable_symlinks on from=$document_root; }
  }
}`

const FILES = {
  'www/a.html': 'hello',
  'www/dir/index.html': 'index of dir',
  'www/none/x.png': 'png',
  'www/noextension': '?',
  'www/empty.html': '',
}

test('files have their length, type, validators', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  utimesSync(server.prefix.path('www/a.html'), 1000000000, 1000000000)
  const response = await fetch(server.url('/a.html'))
  assert.equal(await response.text(), 'hello')
  assert.equal(response.headers.get('content-type'), 'text/html')
  assert.equal(response.headers.get('content-length'), '5')
  assert.equal(response.headers.get('etag'), '"3b9aca00-5"')
  assert.equal(response.headers.get('last-modified'), 'Sun, 09 Sep 2001 01:46:40 GMT')
  const head = await fetch(server.url('/a.html'), { method: 'HEAD' })
  assert.equal(head.headers.get('content-length'), '5')
  assert.equal((await fetch(server.url('/noextension'))).headers.get('content-type'), 'application/octet-stream')
  const empty = await fetch(server.url('/empty.html'))
  assert.equal(await empty.text(), '')
  assert.equal(empty.headers.get('content-length'), '0')
})

test('folders lead to their slash and then to their index', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const redirect = await fetch(server.url('/dir?a=b'), { redirect: 'manual' })
  assert.equal(redirect.status, 301)
  assert.equal(redirect.headers.get('location'), server.url('/dir/?a=b'))
  assert.equal(await (await fetch(server.url('/dir/'))).text(), 'index of dir')
  assert.equal(await (await fetch(server.url('/alias/'))).text(), 'index of dir')
  assert.equal((await fetch(server.url('/none/'))).status, 403)
  assert.equal((await fetch(server.url('/nothing/'))).status, 404)
  assert.match(server.errorLog(), /\[error\] .*directory index of ".*\/www\/none\/" is forbidden, client:/)
  assert.match(
    server.errorLog(),
    /\[error\] .*"\/.*\/www\/nothing\/index.html" is not found \(2: No such file or directory\), client:/,
  )
})

test('a page that stands in for what was asked for has no date, and 204 no length', async () => {
  const conf = CONF.replace(
    'location /alias/',
    `error_page 404 /a.html; error_page 410 =200 /a.html;
    location /gone { return 410; } location /nothing-at-all { return 204; } location /alias/`,
  ).replace(
    'server {',
    "log_format l '$status $sent_http_last_modified $sent_http_content_length'; access_log access.log l; server {",
  )
  await using server = await startViaduct(conf, { files: FILES })
  const date = async (target: string) => (await fetch(server.url(target))).headers.get('last-modified')
  assert.equal(await date('/missing'), null)
  assert.match((await date('/gone'))!, /GMT$/)
  assert.equal((await fetch(server.url('/nothing-at-all'))).status, 204)
  await server.until('it is logged', () => server.accessLog().includes('204 - -\n'))
  assert.match(server.accessLog(), /^404 - 5$/m)
})

test('what is no file is refused with the reason in the log', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  assert.equal((await fetch(server.url('/missing'))).status, 404)
  assert.equal((await fetch(server.url('/a.html/x'))).status, 404)
  assert.equal((await fetch(server.url('/a.html'), { method: 'POST', body: 'x' })).status, 405)
  assert.equal((await fetch(server.url('/a.html'), { method: 'DELETE' })).status, 405)
  assert.match(server.errorLog(), /open\(\) "\/.*\/www\/missing" failed \(2: No such file or directory\), client:/)
  assert.match(server.errorLog(), /open\(\) "\/.*\/www\/a.html\/x" failed \(20: Not a directory\), client:/)
})

test('a changed file is seen at once, and by open_file_cache when it looks again', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const file = server.prefix.path('www/a.html')
  // Old enough for its content to be remembered.
  utimesSync(file, 1000000000, 1000000000)
  const get = async (uri: string) => (await fetch(server.url(uri))).text()
  assert.equal(await get('/cached/a.html'), 'hello')
  for (const text of ['hello', 'HELLO', 'world']) {
    server.prefix.write('www/next.html', text)
    utimesSync(server.prefix.path('www/next.html'), 1000000000, 1000000000)
    renameSync(server.prefix.path('www/next.html'), file)
    assert.equal(await get('/a.html'), text)
    assert.equal(await get('/a.html'), text)
    assert.equal(await get('/cached/a.html'), 'hello')
  }
})

test('large files arrive whole, many at a time', async () => {
  const content = randomBytes(5_000_001)
  const hash = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex')
  await using server = await startViaduct(CONF, { files: { 'www/big.png': content } })
  const all = Array.from({ length: 8 }, (_, i) => fetch(server.url(i % 2 === 0 ? '/big.png' : '/cached/big.png')))
  for (const response of await Promise.all(all)) {
    assert.equal(hash(new Uint8Array(await response.arrayBuffer())), hash(content))
  }
})

test('disable_symlinks refuses links behind its trusted part', async () => {
  await using server = await startViaduct(CONF, { files: { ...FILES, 'www/links/real.html': 'real' } })
  const links = server.prefix.path('www/links')
  symlinkSync('real.html', `${links}/link.html`)
  mkdirSync(`${links}/folder`)
  symlinkSync('folder', `${links}/other`)
  assert.ok(statSync(`${links}/link.html`).isFile())
  assert.equal((await fetch(server.url('/links/real.html'))).status, 200)
  assert.equal((await fetch(server.url('/links/link.html'))).status, 403)
  assert.equal((await fetch(server.url('/links/other/'))).status, 403)
  assert.match(server.errorLog(), /openat\(\) ".*\/links\/link.html" failed \(40: Too many levels of symbolic links\)/)
})

test('a file that shrinks while it is sent ends the connection', async () => {
  await using server = await startViaduct(CONF, { files: FILES, alerts: true })
  const file = server.prefix.path('www/shrinking')
  closeSync(openSync(file, 'w'))
  truncateSync(file, 60_000_000)
  const client = await server.connect()
  client.write('GET /shrinking HTTP/1.1\r\nHost: h\r\n\r\n')
  await client.until(/Content-Length: 60000000/)
  client.socket.pause()
  truncateSync(file, 1000)
  client.socket.resume()
  assert.ok((await client.rest()).length < 60_000_000)
  assert.match(server.errorLog(), /\[alert\] .*pread\(\) read only \d+ of 60000000 from "/)
})

test('a client that leaves leaves no descriptor behind', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const file = server.prefix.path('www/left')
  closeSync(openSync(file, 'w'))
  truncateSync(file, 60_000_000)
  const client = await server.connect()
  client.write('GET /left HTTP/1.1\r\nHost: h\r\n\r\n')
  await client.until(/Content-Length/)
  client.close()
  const engine = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1').trim() || String(server.pid)
  const links = () => readdirSync(`/proc/${engine}/fd`).map((fd) => linkOf(`/proc/${engine}/fd/${fd}`))
  await server.until('the file is closed', () => !links().some((link) => link.endsWith('/www/left')))
})

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
