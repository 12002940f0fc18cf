/** Ranges: one, several, from the end, conditional, impossible; of files in memory and of files that are read in pieces. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const BIG = Buffer.from(Array.from({ length: 600000 }, (_, i) => i % 251))
const CONF = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    location /text { return 200 0123456789; }
    location /one/ { alias %%DIR%%/; max_ranges 1; }
    location /none/ { alias %%DIR%%/; max_ranges 0; }
    location /page/ { alias %%DIR%%/; error_page 416 /sorry.html; }
  }
}`
const FILES = { a: '0123456789', big: BIG, 'sorry.html': 'sorry' }

test('single ranges', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const get = async (uri: string, range: string) => {
    const response = await fetch(server.url(uri), { headers: { range } })
    return [response.status, response.headers.get('content-range'), await response.text()]
  }
  assert.deepEqual(await get('/a', 'bytes=0-3'), [206, 'bytes 0-3/10', '0123'])
  assert.deepEqual(await get('/a', 'bytes=8-'), [206, 'bytes 8-9/10', '89'])
  assert.deepEqual(await get('/a', 'bytes=-3'), [206, 'bytes 7-9/10', '789'])
  assert.deepEqual(await get('/a', 'bytes=-30'), [206, 'bytes 0-9/10', '0123456789'])
  assert.deepEqual(await get('/a', 'bytes= 2 - 90 '), [206, 'bytes 2-9/10', '23456789'])
  assert.deepEqual(await get('/text', 'bytes=2-3'), [200, null, '0123456789'])
  assert.deepEqual(await get('/a', 'lines=0-3'), [200, null, '0123456789'])
  assert.deepEqual(await get('/none/a', 'bytes=0-3'), [200, null, '0123456789'])
  assert.deepEqual(await get('/one/a', 'bytes=0-1,3-4'), [200, null, '0123456789'])
  assert.deepEqual((await get('/a', 'bytes=10-')).slice(0, 2), [416, 'bytes */10'])
  assert.deepEqual((await get('/a', 'bytes=3-x')).slice(0, 2), [416, 'bytes */10'])
  assert.deepEqual(await get('/page/a', 'bytes=10-'), [416, 'bytes */10', 'sorry'])
  const big = await fetch(server.url('/big'), { headers: { range: 'bytes=70000-400000' } })
  assert.deepEqual(Buffer.from(await big.arrayBuffer()), BIG.subarray(70000, 400001))
})

test('several ranges make a multipart body', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const response = await fetch(server.url('/a'), { headers: { range: 'bytes=-1,2-4' } })
  assert.equal(response.status, 206)
  const boundary = /^multipart\/byteranges; boundary=(\d{20})$/.exec(response.headers.get('content-type') ?? '')?.[1]
  const head = `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes `
  const text = await response.text()
  assert.equal(text, `${head}9-9/10\r\n\r\n9${head}2-4/10\r\n\r\n234\r\n--${boundary}--\r\n`)
  assert.equal(response.headers.get('content-length'), String(text.length))
  const big = await fetch(server.url('/big'), { headers: { range: 'bytes=500000-599999,0-99999' } })
  const body = Buffer.from(await big.arrayBuffer())
  assert.ok(body.includes(BIG.subarray(500000)))
  assert.ok(body.includes(BIG.subarray(0, 100000)))
  // More than the whole in pieces is no favour to anybody.
  assert.equal((await fetch(server.url('/a'), { headers: { range: 'bytes=0-8,0-8' } })).status, 200)
})

test('conditions: 304, 412 and If-Range', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const first = await fetch(server.url('/a'))
  const etag = first.headers.get('etag')!
  const date = first.headers.get('last-modified')!
  const later = new Date(Date.parse(date) + 5000).toUTCString()
  const status = async (headers: Record<string, string>) => (await fetch(server.url('/a'), { headers })).status
  assert.equal(await status({ 'if-modified-since': date }), 304)
  assert.equal(await status({ 'if-modified-since': later }), 200)
  assert.equal(await status({ 'if-none-match': `"x", W/${etag}` }), 304)
  assert.equal(await status({ 'if-none-match': '"x"' }), 200)
  assert.equal(await status({ 'if-none-match': '"x"', 'if-modified-since': date }), 200)
  assert.equal(await status({ 'if-match': etag }), 200)
  assert.equal(await status({ 'if-match': '"x"' }), 412)
  assert.equal(await status({ 'if-unmodified-since': later }), 200)
  assert.equal(await status({ 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:01 GMT' }), 412)
  assert.equal(await status({ range: 'bytes=1-2', 'if-range': etag }), 206)
  assert.equal(await status({ range: 'bytes=1-2', 'if-range': date }), 206)
  assert.equal(await status({ range: 'bytes=1-2', 'if-range': '"x"' }), 200)
})

test('a refused response leaves the connection usable', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const ask = (field: string) => `GET /a HTTP/1.1\r\nHost: h\r\n${field}\r\n\r\n`
  const answers = await server.raw(ask('If-Match: "x"') + ask('Range: bytes=99-') + ask('Connection: close'))
  assert.deepEqual(answers.match(/^HTTP\/1\.1 \d+/gm), ['HTTP/1.1 412', 'HTTP/1.1 416', 'HTTP/1.1 200'])
  assert.ok(answers.endsWith('\r\n\r\n0123456789'))
})

test('where ranges are forced the back end has no say in them', async () => {
  await using peer = await Peer.start(() => reply('0123456789', ['Accept-Ranges: bytes']))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_force_ranges on; } } }`)
  const ask = (fields: string) => server.raw(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`)
  assert.equal((await ask('')).match(/Accept-Ranges: bytes/g)?.length, 1)
  const part = await ask('Range: bytes=2-4\r\n')
  assert.match(part, /^HTTP\/1\.1 206 [\s\S]*\r\n\r\n234$/)
  assert.doesNotMatch(part, /Accept-Ranges/)
})
